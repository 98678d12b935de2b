// Registers, reads, lists and validates over gRPC, and reads the details of an error.
// Usage: npm run example -- localhost:9090
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { ErrorInfoSchema } from "./gen/google/rpc/error_details_pb.js";
import {
  CompatibilityReportSchema,
  SchemaRegistry,
  SchemaType,
} from "./gen/schema_registry/v1/schema_registry_pb.js";

const target = process.argv[2] ?? "localhost:9090";
const registry = createClient(SchemaRegistry, createGrpcTransport({ baseUrl: `http://${target}` }));
const bytes = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));
const subject = "typescript.answer";

// Register: the same content again answers with the version that exists.
const registered = await registry.registerSchema({
  subject,
  schemaType: SchemaType.JSON,
  schemaContent: bytes({
    type: "object",
    properties: { text: { type: "string" } },
    required: ["text"],
    additionalProperties: false,
  }),
});
console.log(`registered ${registered.subject} ${registered.version}`);

// Get by id.
const { schema } = await registry.getSchema({ schemaId: registered.schemaId });
console.log(`got ${schema?.subject} ${schema?.version}`);

// List: a stream.
for await (const item of registry.listSchemas({ subjectPrefix: subject })) {
  console.log(`listed ${item.subject} ${item.version}`);
}

// Validate.
for (const data of [{ text: "hello" }, { text: 1 }]) {
  const report = await registry.validateData({ schemaId: registered.schemaId, data: bytes(data) });
  console.log(report.valid ? "valid" : `not valid: ${report.text}`);
}

// An error carries its reason and, here, the report of the comparison.
try {
  await registry.registerSchema({
    subject,
    schemaType: SchemaType.JSON,
    schemaContent: bytes({ type: "object", properties: { text: { type: "integer" } }, required: ["text"] }),
  });
} catch (error) {
  if (!(error instanceof ConnectError)) throw error;
  const [info] = error.findDetails(ErrorInfoSchema);
  const [report] = error.findDetails(CompatibilityReportSchema);
  console.log(`refused: ${Code[error.code]} ${info?.reason}`);
  console.log(`compatible: ${report?.compatible} because of ${report?.violations[0]?.rule}`);
}
