// Package embed holds what a face verification model is: the backbones, the
// file that a trained model is kept in, the contract on how images become its input, and the
// Embedder that maps images to embeddings.
//
// The embeddings of two images of one person have a high cosine; a model says
// in Threshold from what cosine on they are to be taken for the same.
package embed
