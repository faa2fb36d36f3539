// Describes patches and the same patches in other light, and matches them by floats and by bits. With OpenCV's headers the patches are Mats.
#ifdef WITH_OPENCV
#include <opencv2/core.hpp>
#endif

#include <cudal2net.hpp>

#include <iostream>
#include <random>

namespace {

constexpr int Count = 200, Side = 32;

template <class T>
int right(const std::vector<cl2_match> &matches, const cudal2net::Descriptors<T> &queries)
{
    int found = 0;
    for (const cl2_match &match : matches) {
        found += match.query == match.target;
    }

    std::cout << found << " of " << queries.count() << " patches find their own\n";
    return found;
}

} // namespace

int main()
try {
    std::mt19937 random(1);
    std::vector<std::uint8_t> pixels(Count * Side * Side);
    std::vector<float> brighter(pixels.size());
    for (std::size_t i = 0; i < pixels.size(); i++) {
        pixels[i] = static_cast<std::uint8_t>(random());
        brighter[i] = 0.2f + 0.6f * pixels[i] / 255; // of floats, 1 is white
    }

    const cudal2net::Device device("cpu");
    const cudal2net::Model model(device);
    std::cout << device.info().description << ", " << model.info().network << '\n';
#ifdef WITH_OPENCV
    const cudal2net::Descriptors<float> first = model.describe(cudal2net::patches(cv::Mat(Count * Side, Side, CV_8UC1, pixels.data())));
    std::cout << "patches from OpenCV's Mats\n";
#else
    const cudal2net::Descriptors<float> first = model.describe(cudal2net::patches(pixels.data(), Count, Side));
#endif
    const cl2_patches others = cudal2net::patches(brighter.data(), Count, Side, 1);
    const auto second = model.describe(others);
    const auto bits = model.describe_bits(cudal2net::patches(pixels.data(), Count, Side)), other_bits = model.describe_bits(others);
    const int floats = right(device.match(first, second, true, 0.9), first), signs = right(device.match(bits, other_bits, true), bits);
    try {
        model.describe(cudal2net::patches(pixels.data(), Count, 31));
    } catch (const cudal2net::Error &error) {
        std::cout << "as it should be: " << error.what() << '\n';
        return floats == Count && signs == Count && error.code() == CL2_INVALID_ARGUMENT ? 0 : 1;
    }

    return 1;
} catch (const std::exception &error) {
    std::cerr << "error: " << error.what() << '\n';
    return 1;
}
