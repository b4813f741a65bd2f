// Package onnx reads and writes ONNX files as networks of internal/nn.
//
// A file is decoded in two passes. The first, over the bytes of the protocol buffer, checks sizes and names, reads
// what github.com/owulveryck/onnx-go does not pass on (opset, names of nodes, metadata, shapes, external data, types other
// than float32 and int64), and writes a clean file of what is left, which onnx-go then decodes through a backend. What
// comes out, a list of operators and arrays, becomes layers: constants are folded, and shape arithmetic with them.
//
// Shapes are worked out for one image. A network of this program runs on any number of images, whatever
// batch the file was written for.
//
// No file is trusted: whatever is wrong in one, or not supported, is an error.
package onnx
