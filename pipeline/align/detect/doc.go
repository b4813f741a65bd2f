// Package detect finds faces and their five landmarks in photographs with a detector that the user brings as ONNX: of the kinds SCRFD, YuNet and
// RetinaFace, or the three networks of MTCNN.
//
// Coordinates are pixels of the photograph; whole numbers are the centres of pixels, as in package align. A photograph that is larger than what the detector reads is
// made smaller first, with its proportions kept; a smaller one is not enlarged. The rest of the input is black, at the right and below.
package detect
