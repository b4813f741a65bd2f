// Package dataset reads face images from a folder with one sub-folder for each identity:
//
//	faces/
//	  Ada_Lovelace/0001.jpg 0002.jpg
//	  Alan_Turing/photo.png
//
// or from an InsightFace pack (.rec), an idx file, as MNIST is, or a list of files. [Open] lists them, keeps the identities and images that are wanted, and gives the classes
// 0, 1, 2 ... in the order of their names. [Set.Split] holds whole identities out for
// validation, [Set.Pairs] makes verification pairs of them, [Overlap] finds people that are
// on both sides. [DecodeFile] decodes an image that nobody has vetted.
//
// Every order and every draw depends on the names in the folder and the seed only.
package dataset
