// The smallest ONNX files there are, as bytes: one node with its constants.
// https://github.com/onnx/onnx/blob/main/onnx/onnx.proto3 has the numbers of fields.

const bytes = (...parts) => Buffer.concat(parts.map(p => typeof p === 'string' ? Buffer.from(p) : Buffer.from(p)));

function varint(n) {
  const out = [];
  for (; n > 127; n = Math.floor(n / 128)) out.push(n % 128 + 128);
  return bytes([...out, n]);
}

const number = (field, n) => bytes(varint(field * 8), varint(n));
const message = (field, ...parts) => {
  const body = bytes(...parts);
  return bytes(varint(field * 8 + 2), varint(body.length), body);
};

// model is op(inputs and constants) with integer attributes; shapes are by name.
export function model(op, inputs, constants, output, attributes) {
  const float = 1;
  const value = ([name, shape]) => bytes(message(1, name), message(2, message(1, number(1, float),
    message(2, ...shape.map(n => message(1, number(1, n)))))));
  const node = [...inputs, ...constants].map(([name]) => message(1, name));
  const attribute = ([name, ints]) => message(5, message(1, name), ...ints.map(n => number(8, n)), number(20, 7));
  return bytes(
    number(1, 8), // IR version
    message(8, number(2, 13)), // operator set
    message(7,
      message(1, ...node, message(2, output[0]), message(4, op), ...Object.entries(attributes).map(attribute)),
      message(2, 'bench'),
      ...constants.map(([name, shape, data]) => message(5, ...shape.map(n => number(1, n)), number(2, float), message(8, name),
        message(9, new Uint8Array(data.buffer)))),
      ...inputs.map(i => message(11, value(i))),
      message(12, value(output))));
}
