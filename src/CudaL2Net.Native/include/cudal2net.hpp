// CudaL2Net for C++11: handles that release themselves, and exceptions. Header only, over cudal2net.h, which says what the calls do.
#ifndef CUDAL2NET_HPP
#define CUDAL2NET_HPP

#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "cudal2net.h"

namespace cudal2net {

// A call failed: the text says what happened and what to do.
class Error : public std::runtime_error {
public:
    Error(int code, const std::string &text) : std::runtime_error(text), code_(code) {}
    int code() const { return code_; } // cl2_code

private:
    int code_;
};

// The table of functions.
inline const cl2_api &api()
{
    static const cl2_api *const table = cl2_get_api(CL2_API_VERSION);
    return table != nullptr ? *table : throw Error(CL2_NOT_FOUND, "libcudal2net is older than its header, or its parts are not beside it");
}

// Throws what a status says, and releases it.
inline void check(cl2_status *status)
{
    if (status != nullptr) {
        const Error error(api().status_code(status), api().status_text(status));
        api().status_release(status);
        throw error;
    }
}

// n x side x side grey patches, dense: bytes, or floats of which `white` is white. They must outlive the result.
inline cl2_patches patches(const std::uint8_t *data, std::int64_t count, int side)
{
    cl2_patches view = {data, count, side, CL2_U8, 0, 0, 0, 0};
    return view;
}

inline cl2_patches patches(const float *data, std::int64_t count, int side, double white = 255)
{
    cl2_patches view = {data, count, side, CL2_F32, 0, 0, 0, white};
    return view;
}

// An image of 8 bits per channel: grey, or red, green, blue. Its pixels must outlive the result.
inline cl2_image image(const std::uint8_t *data, int width, int height, int channels = 1, std::int64_t stride = 0)
{
    cl2_image view = {data, stride, width, height, channels};
    return view;
}

#ifdef OPENCV_CORE_HPP
// Patches one below the other in a Mat of one channel (8 bits or float) with n x side rows: also a part of another Mat. Include opencv2/core.hpp before.
inline cl2_patches patches(const cv::Mat &strip, double white = 255)
{
    if (strip.dims != 2 || strip.cols == 0 || strip.rows % strip.cols != 0 || (strip.type() != CV_8UC1 && strip.type() != CV_32FC1)) {
        throw Error(CL2_INVALID_ARGUMENT, "patches are rows of a Mat of type CV_8UC1 or CV_32FC1, as many as its columns for each patch");
    }

    const std::int64_t row = static_cast<std::int64_t>(strip.step[0]);
    cl2_patches view = {strip.data, strip.rows / strip.cols, strip.cols, strip.type() == CV_8UC1 ? CL2_U8 : CL2_F32,
                        row * strip.cols, row, static_cast<std::int64_t>(strip.elemSize()), strip.type() == CV_8UC1 ? 0 : white};
    return view;
}

// A grey Mat of 8 bits. OpenCV's colours are in another order: turn them to grey before, with cv::cvtColor.
inline cl2_image image(const cv::Mat &grey)
{
    if (grey.dims != 2 || grey.type() != CV_8UC1) {
        throw Error(CL2_INVALID_ARGUMENT, "an image is a Mat of type CV_8UC1: turn colours to grey with cv::cvtColor");
    }

    return image(grey.data, grey.cols, grey.rows, 1, static_cast<std::int64_t>(grey.step[0]));
}

inline std::vector<cl2_keypoint> keypoints(const std::vector<cv::KeyPoint> &found)
{
    std::vector<cl2_keypoint> result;
    for (const cv::KeyPoint &k : found) {
        const cl2_keypoint keypoint = {k.pt.x, k.pt.y, k.size, k.angle < 0 ? 0 : k.angle}; // -1 is none
        result.push_back(keypoint);
    }

    return result;
}
#endif

// Descriptors, a row each: floats, or packed bits.
template <class T>
struct Descriptors {
    std::vector<T> values; // [count][dimension], of bits [count][dimension / 8]
    int dimension;

    std::int64_t count() const { return static_cast<std::int64_t>(values.size()) * (sizeof(T) == 1 ? 8 : 1) / dimension; }

    cl2_descriptors view() const
    {
        cl2_descriptors view = {values.data(), count(), dimension, sizeof(T) == 1 ? CL2_BITS : CL2_F32};
        return view;
    }
};

class Device {
public:
    explicit Device(const std::string &name = "auto", int threads = 0, const std::string &precision = "float32")
    {
        cl2_device *device = nullptr;
        check(api().device_open(name.c_str(), threads, precision.c_str(), &device));
        handle_.reset(device);
    }

    cl2_device *get() const { return handle_.get(); }

    cl2_device_info info() const
    {
        cl2_device_info info;
        check(api().device_info(get(), &info));
        return info;
    }

    // Nearest targets that pass the tests, by rising query.
    template <class T>
    std::vector<cl2_match> match(const Descriptors<T> &queries, const Descriptors<T> &targets, bool mutual = false, double ratio = 1) const
    {
        const cl2_descriptors from = queries.view(), to = targets.view();
        std::vector<cl2_match> matches(static_cast<std::size_t>(from.count));
        std::int64_t found = 0;
        check(api().match(get(), &from, &to, mutual, ratio, matches.data(), from.count, &found));
        matches.resize(static_cast<std::size_t>(found));
        return matches;
    }

private:
    struct Release {
        void operator()(cl2_device *device) const { api().status_release(api().device_release(device)); }
    };
    std::unique_ptr<cl2_device, Release> handle_;
};

class Model {
public:
    // The model inside the library.
    explicit Model(const Device &device)
    {
        cl2_model *model = nullptr;
        check(api().model_load_default(device.get(), &model));
        handle_.reset(model);
    }

    Model(const Device &device, const std::string &path)
    {
        cl2_model *model = nullptr;
        check(api().model_load(device.get(), path.c_str(), &model));
        handle_.reset(model);
    }

    cl2_model *get() const { return handle_.get(); }

    cl2_model_info info() const
    {
        cl2_model_info info;
        check(api().model_info(get(), &info));
        return info;
    }

    Descriptors<float> describe(const cl2_patches &patches) const
    {
        const int dimension = info().dimension;
        Descriptors<float> result = {std::vector<float>(static_cast<std::size_t>(patches.count * dimension)), dimension};
        check(api().describe(get(), &patches, result.values.data(), patches.count * dimension));
        return result;
    }

    Descriptors<std::uint8_t> describe_bits(const cl2_patches &patches) const
    {
        const cl2_model_info about = info();
        const std::int64_t bytes = patches.count * about.binary_bytes;
        Descriptors<std::uint8_t> result = {std::vector<std::uint8_t>(static_cast<std::size_t>(bytes)), about.dimension};
        check(api().describe_bits(get(), &patches, result.values.data(), bytes));
        return result;
    }

    // Descriptors of an image's patches at keypoints (the patches' side is patch_scale x the size; 0 is the model's scale) or frames.
    Descriptors<float> describe(const cl2_image &image, const std::vector<cl2_keypoint> &keypoints, double patch_scale = 0) const
    {
        return describe_image<float>(image, keypoints, CL2_KEYPOINT, patch_scale);
    }

    Descriptors<float> describe(const cl2_image &image, const std::vector<cl2_frame> &frames) const
    {
        return describe_image<float>(image, frames, CL2_FRAME, 0);
    }

    Descriptors<std::uint8_t> describe_bits(const cl2_image &image, const std::vector<cl2_keypoint> &keypoints, double patch_scale = 0) const
    {
        return describe_image<std::uint8_t>(image, keypoints, CL2_KEYPOINT, patch_scale);
    }

    Descriptors<std::uint8_t> describe_bits(const cl2_image &image, const std::vector<cl2_frame> &frames) const
    {
        return describe_image<std::uint8_t>(image, frames, CL2_FRAME, 0);
    }

private:
    template <class T, class R>
    Descriptors<T> describe_image(const cl2_image &image, const std::vector<R> &places, cl2_region_type type, double patch_scale) const
    {
        const cl2_model_info about = info();
        const std::size_t width = static_cast<std::size_t>(sizeof(T) == 1 ? about.binary_bytes : about.dimension);
        Descriptors<T> result = {std::vector<T>(places.size() * width), about.dimension};
        const cl2_regions regions = {places.data(), static_cast<std::int64_t>(places.size()), patch_scale, type};
        check(api().describe_images(get(), &image, &regions, 1, sizeof(T) == 1 ? CL2_BITS : CL2_F32, result.values.data(),
                                    static_cast<std::int64_t>(result.values.size()), nullptr, 0));
        return result;
    }

    struct Release {
        void operator()(cl2_model *model) const { api().status_release(api().model_release(model)); }
    };
    std::unique_ptr<cl2_model, Release> handle_;
};

// Targets that are kept on a device, to be searched often.
class Index {
public:
    template <class T>
    Index(const Device &device, const Descriptors<T> &targets)
    {
        const cl2_descriptors set = targets.view();
        cl2_index *index = nullptr;
        check(api().index_build(device.get(), &set, &index));
        handle_.reset(index);
    }

    cl2_index *get() const { return handle_.get(); }

    // As Device::match.
    template <class T>
    std::vector<cl2_match> match(const Descriptors<T> &queries, bool mutual = false, double ratio = 1) const
    {
        const cl2_descriptors from = queries.view();
        std::vector<cl2_match> matches(static_cast<std::size_t>(from.count));
        std::int64_t found = 0;
        check(api().index_match(get(), &from, mutual, ratio, matches.data(), from.count, &found));
        matches.resize(static_cast<std::size_t>(found));
        return matches;
    }

    // The k nearest targets of each query, by rising distance: [count][k]; where there are fewer targets, -1 and infinity.
    struct Neighbors {
        std::vector<std::int32_t> targets;
        std::vector<float> distances;
    };

    template <class T>
    Neighbors nearest(const Descriptors<T> &queries, int k) const
    {
        const cl2_descriptors from = queries.view();
        const std::size_t size = static_cast<std::size_t>(from.count) * static_cast<std::size_t>(k > 0 ? k : 0);
        Neighbors result = {std::vector<std::int32_t>(size), std::vector<float>(size)};
        check(api().index_nearest(get(), &from, k, result.targets.data(), result.distances.data(), static_cast<std::int64_t>(size)));
        return result;
    }

private:
    struct Release {
        void operator()(cl2_index *index) const { api().status_release(api().index_release(index)); }
    };
    std::unique_ptr<cl2_index, Release> handle_;
};

} // namespace cudal2net

#endif
