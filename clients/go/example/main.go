// Registers, reads, lists and validates over gRPC, and reads the details of an error.
//
// Usage: go run ./example localhost:9090
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	pb "llm-schema-registry/go/schemaregistry/v1"
)

const subject = "go.answer"

const schemaText = `{"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"],
	"additionalProperties": false}`

const incompatibleText = `{"type": "object", "properties": {"text": {"type": "integer"}}, "required": ["text"]}`

func main() {
	target := "localhost:9090"
	if len(os.Args) > 1 {
		target = os.Args[1]
	}
	if err := run(target); err != nil {
		log.Fatal(err)
	}
}

func run(target string) error {
	connection, err := grpc.NewClient(target, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return err
	}
	defer connection.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	registry := pb.NewSchemaRegistryClient(connection)

	// Register: the same content again answers with the version that exists.
	registered, err := registry.RegisterSchema(ctx, &pb.RegisterSchemaRequest{
		Subject:       subject,
		SchemaType:    pb.SchemaType_SCHEMA_TYPE_JSON,
		SchemaContent: []byte(schemaText),
	})
	if err != nil {
		return err
	}
	fmt.Println("registered", registered.Subject, registered.Version)

	// Get by id.
	got, err := registry.GetSchema(ctx, &pb.GetSchemaRequest{SchemaId: registered.SchemaId})
	if err != nil {
		return err
	}
	fmt.Println("got", got.Schema.Subject, got.Schema.Version)

	// List: a stream.
	prefix := subject
	items, err := registry.ListSchemas(ctx, &pb.ListSchemasRequest{SubjectPrefix: &prefix})
	if err != nil {
		return err
	}
	for {
		item, err := items.Recv()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		fmt.Println("listed", item.Subject, item.Version)
	}

	// Validate.
	for _, data := range []string{`{"text": "hello"}`, `{"text": 1}`} {
		report, err := registry.ValidateData(ctx, &pb.ValidateDataRequest{
			SchemaId: registered.SchemaId,
			Data:     []byte(data),
		})
		if err != nil {
			return err
		}
		if report.GetValid() {
			fmt.Println("valid")
		} else {
			fmt.Println("not valid:", report.Text)
		}
	}

	// An error carries its reason and, here, the report of the comparison.
	_, err = registry.RegisterSchema(ctx, &pb.RegisterSchemaRequest{
		Subject:       subject,
		SchemaType:    pb.SchemaType_SCHEMA_TYPE_JSON,
		SchemaContent: []byte(incompatibleText),
	})
	failure, ok := status.FromError(err)
	if err == nil || !ok {
		return fmt.Errorf("expected a refusal, got %v", err)
	}
	for _, detail := range failure.Details() {
		switch detail := detail.(type) {
		case *errdetails.ErrorInfo:
			fmt.Println("refused:", failure.Code(), detail.Reason)
		case *pb.CompatibilityReport:
			fmt.Println("compatible:", detail.GetCompatible(), "because of", detail.Violations[0].Rule)
		}
	}
	return nil
}
