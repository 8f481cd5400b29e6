// Finds the faces in a picture and prints them as one JSON object.
//
//   java -cp ... Detect photo.jpg
//   java -cp ... Detect --model face_recognition --min-face-size 40 --url 127.0.0.1:8001 photo.jpg

import com.google.gson.Gson;
import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import com.google.protobuf.ByteString;
import inference.GRPCInferenceServiceGrpc;
import inference.GrpcService.InferParameter;
import inference.GrpcService.ModelInferRequest;
import inference.GrpcService.ModelInferRequest.InferInputTensor;
import inference.GrpcService.ModelInferRequest.InferRequestedOutputTensor;
import inference.GrpcService.ModelInferResponse;
import io.grpc.ManagedChannel;
import io.grpc.ManagedChannelBuilder;
import io.grpc.StatusRuntimeException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.TimeUnit;

public final class Detect {
  private static final int DEADLINE_SECONDS = 30;
  private static final Set<String> OPTIONS = Set.of("--url", "--model", "--min-face-size");
  private static final List<String> LANDMARKS =
      List.of("left_eye", "right_eye", "nose", "mouth_left", "mouth_right");

  // Full queue, server restarting: ask again.
  private static final Map<String, ?> SERVICE_CONFIG =
      Map.of(
          "methodConfig",
          List.of(
              Map.of(
                  "name", List.of(Map.of("service", "inference.GRPCInferenceService")),
                  "retryPolicy",
                      Map.of(
                          "maxAttempts", 3.0,
                          "initialBackoff", "0.1s",
                          "maxBackoff", "2s",
                          "backoffMultiplier", 2.0,
                          "retryableStatusCodes", List.of("UNAVAILABLE")))));

  /** A float32 tensor [1, N, ...], its N rows one after another. */
  private record Tensor(int rows, FloatBuffer values) {
    JsonArray row(int i) {
      int size = values.remaining() / rows;
      return numbers(i * size, size);
    }

    JsonArray numbers(int begin, int count) {
      JsonArray numbers = new JsonArray();
      for (int k = 0; k < count; k++) numbers.add(values.get(begin + k));
      return numbers;
    }
  }

  static ManagedChannel connect(String url) {
    return ManagedChannelBuilder.forTarget(url)
        .usePlaintext()
        // grpc-java takes answers of 4 MB at most unless told otherwise.
        .maxInboundMessageSize(Integer.MAX_VALUE)
        .keepAliveTime(60, TimeUnit.SECONDS)
        .keepAliveTimeout(20, TimeUnit.SECONDS)
        .defaultServiceConfig(SERVICE_CONFIG)
        .enableRetry()
        // Only requests that fit this buffer are sent again; its default is 1 MB.
        .perRpcBufferLimit(64L << 20)
        .retryBufferSize(256L << 20)
        .build();
  }

  static ModelInferRequest request(byte[] picture, String model, Double minFaceSize) {
    // A BYTES tensor is, for each element, its length in 4 bytes, little-endian, and the bytes.
    ByteBuffer raw = ByteBuffer.allocate(4 + picture.length).order(ByteOrder.LITTLE_ENDIAN);
    raw.putInt(picture.length).put(picture).flip();
    ModelInferRequest.Builder request =
        ModelInferRequest.newBuilder()
            .setModelName(model)
            .addInputs(
                InferInputTensor.newBuilder()
                    .setName("encoded_image")
                    .setDatatype("BYTES")
                    .addAllShape(List.of(1L, 1L)))
            .addRawInputContents(ByteString.copyFrom(raw));
    for (String name : List.of("boxes", "probabilities", "landmarks")) addOutput(request, name);
    if (model.equals("face_recognition")) addOutput(request, "embeddings");
    if (minFaceSize != null) {
      request.putParameters(
          "min_face_size", InferParameter.newBuilder().setDoubleParam(minFaceSize).build());
    }
    return request.build();
  }

  private static void addOutput(ModelInferRequest.Builder request, String name) {
    request.addOutputs(InferRequestedOutputTensor.newBuilder().setName(name));
  }

  static Map<String, Tensor> tensors(ModelInferResponse response) {
    Map<String, Tensor> tensors = new HashMap<>();
    for (int i = 0; i < response.getOutputsCount(); i++) {
      var output = response.getOutputs(i);
      ByteBuffer raw = response.getRawOutputContents(i).asReadOnlyByteBuffer();
      int rows = (int) output.getShape(1);
      tensors.put(output.getName(), new Tensor(rows, raw.order(ByteOrder.LITTLE_ENDIAN).asFloatBuffer()));
    }
    return tensors;
  }

  static JsonArray faces(Map<String, Tensor> tensors) {
    JsonArray faces = new JsonArray();
    for (int i = 0; i < tensors.get("boxes").rows(); i++) {
      JsonObject landmarks = new JsonObject();
      for (int k = 0; k < LANDMARKS.size(); k++) {
        landmarks.add(LANDMARKS.get(k), tensors.get("landmarks").numbers(10 * i + 2 * k, 2));
      }
      JsonObject face = new JsonObject();
      face.add("box", tensors.get("boxes").row(i));
      face.add("probability", tensors.get("probabilities").row(i).get(0));
      face.add("landmarks", landmarks);
      if (tensors.containsKey("embeddings")) face.add("embedding", tensors.get("embeddings").row(i));
      faces.add(face);
    }
    return faces;
  }

  static JsonObject detect(String image, Map<String, String> options) throws IOException {
    String minFaceSize = options.get("--min-face-size");
    ModelInferRequest request =
        request(
            Files.readAllBytes(Path.of(image)),
            options.get("--model"),
            minFaceSize == null ? null : Double.valueOf(minFaceSize));
    ManagedChannel channel = connect(options.get("--url"));
    try {
      ModelInferResponse response =
          GRPCInferenceServiceGrpc.newBlockingStub(channel)
              .withDeadlineAfter(DEADLINE_SECONDS, TimeUnit.SECONDS)
              .modelInfer(request);
      JsonObject answer = new JsonObject();
      answer.addProperty("image", image);
      answer.add("faces", faces(tensors(response)));
      return answer;
    } finally {
      channel.shutdown();
    }
  }

  public static void main(String[] arguments) {
    Map<String, String> options = new HashMap<>();
    options.put("--url", System.getenv().getOrDefault("TRITON_FACES_URL", "127.0.0.1:8001"));
    options.put("--model", "mtcnn");
    int last = arguments.length - 1;
    for (int i = 0; i + 1 <= last; i += 2) options.put(arguments[i], arguments[i + 1]);
    if (last % 2 != 0 || !OPTIONS.containsAll(options.keySet())) {
      System.err.println("usage: Detect [--url HOST:PORT] [--model NAME] [--min-face-size N] IMAGE");
      System.exit(2);
    }
    try {
      System.out.println(new Gson().toJson(detect(arguments[last], options)));
    } catch (StatusRuntimeException error) {
      System.err.println("detect: " + error.getStatus().getDescription());
      System.exit(1);
    } catch (IOException | NumberFormatException error) {
      System.err.println("detect: " + error);
      System.exit(1);
    }
  }
}
