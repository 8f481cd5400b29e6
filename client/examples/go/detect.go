// Finds the faces in a picture and prints them as one JSON object.
//
//	build/detect photo.jpg
//	build/detect --model face_recognition --min-face-size 40 --url 127.0.0.1:8001 photo.jpg
package main

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"flag"
	"fmt"
	"math"
	"os"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/status"

	"triton-faces-example/inference"
)

const deadline = 30 * time.Second

// Full queue, server restarting: ask again.
const serviceConfig = `{"methodConfig": [{
  "name": [{"service": "inference.GRPCInferenceService"}],
  "retryPolicy": {"maxAttempts": 3, "initialBackoff": "0.1s", "maxBackoff": "2s", "backoffMultiplier": 2,
                  "retryableStatusCodes": ["UNAVAILABLE"]}}]}`

type point [2]float32

type landmarks struct {
	LeftEye    point `json:"left_eye"`
	RightEye   point `json:"right_eye"`
	Nose       point `json:"nose"`
	MouthLeft  point `json:"mouth_left"`
	MouthRight point `json:"mouth_right"`
}

type face struct {
	Box         []float32 `json:"box"`
	Probability float32   `json:"probability"`
	Landmarks   landmarks `json:"landmarks"`
	Embedding   []float32 `json:"embedding,omitempty"`
	*identity
}

// Who a face is, from face_identification. Person is empty for somebody unknown.
type identity struct {
	Person   string  `json:"person"`
	Distance float32 `json:"distance"`
	Margin   float32 `json:"margin"`
}

type answer struct {
	Image string `json:"image"`
	Faces []face `json:"faces"`
}

// A tensor [1, N, ...], its N rows one after another: numbers, or texts where its type is BYTES.
type tensor struct {
	rows   int
	values []float32
	texts  []string
}

func (t tensor) row(i int) []float32 {
	size := len(t.values) / t.rows
	return t.values[i*size : (i+1)*size]
}

func connect(url string) (*grpc.ClientConn, error) {
	return grpc.Dial(url,
		// Without TLS; newer releases spell it WithTransportCredentials(insecure.NewCredentials()).
		grpc.WithInsecure(),
		grpc.WithDefaultServiceConfig(serviceConfig),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: 60 * time.Second, Timeout: 20 * time.Second}),
		grpc.WithDefaultCallOptions(
			// grpc-go takes answers of 4 MB at most unless told otherwise.
			grpc.MaxCallRecvMsgSize(math.MaxInt32),
			grpc.MaxCallSendMsgSize(math.MaxInt32),
			// Only requests that fit this buffer are sent again; its default is 256 KB.
			grpc.MaxRetryRPCBufferSize(64<<20),
		))
}

func request(picture []byte, model string, minFaceSize float64) *inference.ModelInferRequest {
	// A BYTES tensor is, for each element, its length in 4 bytes, little-endian, and the bytes.
	raw := binary.LittleEndian.AppendUint32(nil, uint32(len(picture)))
	raw = append(raw, picture...)
	names := []string{"boxes", "probabilities", "landmarks"}
	if model == "face_recognition" {
		names = append(names, "embeddings")
	}
	if model == "face_identification" {
		names = append(names, "names", "distances", "margins")
	}
	message := &inference.ModelInferRequest{
		ModelName: model,
		Inputs: []*inference.ModelInferRequest_InferInputTensor{
			{Name: "encoded_image", Datatype: "BYTES", Shape: []int64{1, 1}},
		},
		RawInputContents: [][]byte{raw},
	}
	for _, name := range names {
		message.Outputs = append(message.Outputs, &inference.ModelInferRequest_InferRequestedOutputTensor{Name: name})
	}
	if minFaceSize > 0 {
		message.Parameters = map[string]*inference.InferParameter{
			"min_face_size": {ParameterChoice: &inference.InferParameter_DoubleParam{DoubleParam: minFaceSize}},
		}
	}
	return message
}

func tensors(response *inference.ModelInferResponse) map[string]tensor {
	result := map[string]tensor{}
	for i, output := range response.Outputs {
		raw := response.RawOutputContents[i]
		if output.Datatype == "BYTES" {
			result[output.Name] = tensor{rows: int(output.Shape[1]), texts: texts(raw)}
			continue
		}
		values := make([]float32, len(raw)/4)
		for k := range values {
			values[k] = math.Float32frombits(binary.LittleEndian.Uint32(raw[4*k:]))
		}
		result[output.Name] = tensor{rows: int(output.Shape[1]), values: values}
	}
	return result
}

// Of a BYTES tensor, as in a request: for each element its length in 4 bytes, and the bytes.
func texts(raw []byte) []string {
	found := []string{}
	for len(raw) >= 4 {
		end := 4 + binary.LittleEndian.Uint32(raw)
		found = append(found, string(raw[4:end]))
		raw = raw[end:]
	}
	return found
}

func faces(tensors map[string]tensor) []face {
	result := []face{}
	for i := 0; i < tensors["boxes"].rows; i++ {
		p := tensors["landmarks"].row(i)
		found := face{
			Box:         tensors["boxes"].row(i),
			Probability: tensors["probabilities"].row(i)[0],
			Landmarks:   landmarks{point{p[0], p[1]}, point{p[2], p[3]}, point{p[4], p[5]}, point{p[6], p[7]}, point{p[8], p[9]}},
		}
		if embeddings, ok := tensors["embeddings"]; ok {
			found.Embedding = embeddings.row(i)
		}
		if names, ok := tensors["names"]; ok {
			found.identity = &identity{names.texts[i], tensors["distances"].row(i)[0], tensors["margins"].row(i)[0]}
		}
		result = append(result, found)
	}
	return result
}

func detect(url, model, image string, minFaceSize float64) (answer, error) {
	picture, err := os.ReadFile(image)
	if err != nil {
		return answer{}, err
	}
	connection, err := connect(url)
	if err != nil {
		return answer{}, err
	}
	defer connection.Close()
	ctx, cancel := context.WithTimeout(context.Background(), deadline)
	defer cancel()
	client := inference.NewGRPCInferenceServiceClient(connection)
	response, err := client.ModelInfer(ctx, request(picture, model, minFaceSize))
	if err != nil {
		return answer{}, fmt.Errorf("%s", status.Convert(err).Message())
	}
	return answer{image, faces(tensors(response))}, nil
}

func main() {
	defaultURL := os.Getenv("TRITON_FACES_URL")
	if defaultURL == "" {
		defaultURL = "127.0.0.1:8001"
	}
	url := flag.String("url", defaultURL, "the server's gRPC endpoint")
	model := flag.String("model", "mtcnn", "mtcnn, face_recognition or face_identification")
	minFaceSize := flag.Float64("min-face-size", 0, "pixels; 0 for the server's default")
	flag.Parse()
	if flag.NArg() != 1 {
		fmt.Fprintln(os.Stderr, "detect: name one picture")
		os.Exit(2)
	}
	found, err := detect(*url, *model, flag.Arg(0), *minFaceSize)
	if err == nil {
		err = json.NewEncoder(os.Stdout).Encode(found)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "detect:", err)
		os.Exit(1)
	}
}
