// Describes patches and the same patches in other light, and matches them by floats and by bits; then an image and the same one turned, at keypoints. With OpenCV's
// headers the patches and the images are Mats.
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

// Keypoints of an image, and the same ones where the image is turned by 180 degrees.
bool turned_image(const cudal2net::Device &device, const cudal2net::Model &model, std::mt19937 &random)
{
    constexpr int Width = 240, Height = 180;
    std::vector<std::uint8_t> pixels(Width * Height), turned;
    for (int i = 0; i < Width * Height; i++) {
        const int above = i < Width ? 128 : pixels[i - Width], left = i == 0 ? 128 : pixels[i - 1];
        pixels[i] = static_cast<std::uint8_t>((2 * above + 2 * left + static_cast<int>(random() % 256)) / 5); // noise that has larger spots
    }

    turned.assign(pixels.rbegin(), pixels.rend());
    std::vector<cl2_keypoint> here, there;
    for (int i = 0; i < 60; i++) {
        const float x = 30.0f + static_cast<float>(random() % 180), y = 30.0f + static_cast<float>(random() % 120), size = 2.0f + static_cast<float>(i % 3);
        here.push_back({x, y, size, 20});
        there.push_back({Width - 1 - x, Height - 1 - y, size, 200});
    }

#ifdef WITH_OPENCV
    const cl2_image first = cudal2net::image(cv::Mat(Height, Width, CV_8UC1, pixels.data()));
#else
    const cl2_image first = cudal2net::image(pixels.data(), Width, Height);
#endif
    const cudal2net::Index index(device, model.describe(cudal2net::image(turned.data(), Width, Height), there));
    const auto queries = model.describe(first, here);
    const auto nearest = index.nearest(queries, 3);
    int found = 0;
    for (int i = 0; i < 60; i++) {
        found += nearest.targets[3 * i] == i && nearest.distances[3 * i] <= nearest.distances[3 * i + 1];
    }

    std::cout << found << " of 60 keypoints of a turned image find their own\n";
    return found >= 58 && index.match(queries, true).size() >= 58; // two keypoints may lie on one another
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
    const bool turned = turned_image(device, model, random);
    try {
        model.describe(cudal2net::patches(pixels.data(), Count, 31));
    } catch (const cudal2net::Error &error) {
        std::cout << "as it should be: " << error.what() << '\n';
        return floats == Count && signs == Count && turned && error.code() == CL2_INVALID_ARGUMENT ? 0 : 1;
    }

    return 1;
} catch (const std::exception &error) {
    std::cerr << "error: " << error.what() << '\n';
    return 1;
}
