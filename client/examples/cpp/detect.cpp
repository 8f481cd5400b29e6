// Finds the faces in a picture and prints them as one JSON object.
//
//   build/detect photo.jpg
//   build/detect --model face_recognition --min-face-size 40 --url 127.0.0.1:8001 photo.jpg

#include <grpcpp/grpcpp.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iostream>
#include <iterator>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "grpc_service.grpc.pb.h"

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "tensors are little-endian; swap the bytes elsewhere");

namespace {

// Keys stay in order, and numbers are float: printed with the fewest digits that are still the same float32.
using Json =
    nlohmann::basic_json<nlohmann::ordered_map, std::vector, std::string, bool, std::int64_t, std::uint64_t, float>;

constexpr auto kDeadline = std::chrono::seconds(30);
constexpr std::array kLandmarks = {"left_eye", "right_eye", "nose", "mouth_left", "mouth_right"};

// Full queue, server restarting: ask again.
constexpr char kServiceConfig[] = R"({"methodConfig": [{
  "name": [{"service": "inference.GRPCInferenceService"}],
  "retryPolicy": {"maxAttempts": 3, "initialBackoff": "0.1s", "maxBackoff": "2s", "backoffMultiplier": 2,
                  "retryableStatusCodes": ["UNAVAILABLE"]}}]})";

struct Options {
  std::string url = "127.0.0.1:8001";
  std::string model = "mtcnn";
  std::optional<double> min_face_size;
  std::string image;
};

struct Tensor {
  std::vector<std::int64_t> shape;
  std::vector<float> values;
};

using Tensors = std::map<std::string, Tensor>;

std::shared_ptr<grpc::Channel> Connect(const std::string& url) {
  grpc::ChannelArguments arguments;
  // gRPC takes answers of 4 MB at most unless told otherwise.
  arguments.SetMaxSendMessageSize(-1);
  arguments.SetMaxReceiveMessageSize(-1);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, 60'000);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 20'000);
  // Only requests that fit this buffer are sent again; its default is 256 KB.
  arguments.SetInt(GRPC_ARG_PER_RPC_RETRY_BUFFER_SIZE, 64 << 20);
  arguments.SetServiceConfigJSON(kServiceConfig);
  return grpc::CreateCustomChannel(url, grpc::InsecureChannelCredentials(), arguments);
}

std::string ReadFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw std::runtime_error(path + ": " + std::strerror(errno));
  return {std::istreambuf_iterator<char>(file), {}};
}

inference::ModelInferRequest Request(const std::string& picture, const Options& options) {
  inference::ModelInferRequest request;
  request.set_model_name(options.model);
  auto* input = request.add_inputs();
  input->set_name("encoded_image");
  input->set_datatype("BYTES");
  input->add_shape(1);
  input->add_shape(1);
  // A BYTES tensor is, for each element, its length in 4 bytes, little-endian, and the bytes.
  const auto length = static_cast<std::uint32_t>(picture.size());
  std::string& raw = *request.add_raw_input_contents();
  raw.append(reinterpret_cast<const char*>(&length), sizeof length).append(picture);
  for (const char* name : {"boxes", "probabilities", "landmarks"}) request.add_outputs()->set_name(name);
  if (options.model == "face_recognition") request.add_outputs()->set_name("embeddings");
  if (options.min_face_size)
    (*request.mutable_parameters())["min_face_size"].set_double_param(*options.min_face_size);
  return request;
}

inference::ModelInferResponse Infer(const std::string& url, const inference::ModelInferRequest& request) {
  const auto stub = inference::GRPCInferenceService::NewStub(Connect(url));
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + kDeadline);
  inference::ModelInferResponse response;
  const grpc::Status status = stub->ModelInfer(&context, request, &response);
  if (!status.ok()) throw std::runtime_error(status.error_message());
  return response;
}

Tensors ReadTensors(const inference::ModelInferResponse& response) {
  Tensors tensors;
  for (int i = 0; i < response.outputs_size(); ++i) {
    const auto& output = response.outputs(i);
    const std::string& raw = response.raw_output_contents(i);
    Tensor& tensor = tensors[output.name()];
    tensor.shape.assign(output.shape().begin(), output.shape().end());
    tensor.values.resize(raw.size() / sizeof(float));
    std::memcpy(tensor.values.data(), raw.data(), raw.size());
  }
  return tensors;
}

// The numbers of one face, of a tensor [1, N, ...].
std::vector<float> Row(const Tensor& tensor, std::int64_t face) {
  const auto size = static_cast<std::int64_t>(tensor.values.size()) / tensor.shape.at(1);
  const auto begin = tensor.values.begin() + face * size;
  return {begin, begin + size};
}

Json Faces(const Tensors& tensors) {
  Json faces = Json::array();
  for (std::int64_t i = 0; i < tensors.at("boxes").shape.at(1); ++i) {
    const auto points = Row(tensors.at("landmarks"), i);
    Json landmarks;
    for (std::size_t k = 0; k < kLandmarks.size(); ++k) landmarks[kLandmarks[k]] = {points[2 * k], points[2 * k + 1]};
    Json face = {{"box", Row(tensors.at("boxes"), i)},
                 {"probability", Row(tensors.at("probabilities"), i)[0]},
                 {"landmarks", landmarks}};
    if (tensors.count("embeddings")) face["embedding"] = Row(tensors.at("embeddings"), i);
    faces.push_back(face);
  }
  return faces;
}

double Number(const std::string& text) {
  std::istringstream stream(text);
  double number = 0;
  if (!(stream >> number) || !stream.eof()) throw std::invalid_argument(text + " is not a number");
  return number;
}

Options ParseOptions(int argc, char** argv) {
  Options options;
  if (const char* url = std::getenv("TRITON_FACES_URL")) options.url = url;
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  if (arguments.size() % 2 == 0) throw std::invalid_argument("name one picture, last");
  for (std::size_t i = 0; i + 1 < arguments.size(); i += 2) {
    const std::string& value = arguments[i + 1];
    if (arguments[i] == "--url")
      options.url = value;
    else if (arguments[i] == "--model")
      options.model = value;
    else if (arguments[i] == "--min-face-size")
      options.min_face_size = Number(value);
    else
      throw std::invalid_argument("unknown option " + arguments[i]);
  }
  options.image = arguments.back();
  return options;
}

}  // namespace

int main(int argc, char** argv) try {
  const Options options = ParseOptions(argc, argv);
  const auto response = Infer(options.url, Request(ReadFile(options.image), options));
  const Json answer = {{"image", options.image}, {"faces", Faces(ReadTensors(response))}};
  std::cout << answer.dump() << std::endl;
  return EXIT_SUCCESS;
} catch (const std::exception& error) {
  std::cerr << "detect: " << error.what() << std::endl;
  return EXIT_FAILURE;
}
