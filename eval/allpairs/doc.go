// Package allpairs measures every pair of a matrix of embeddings, or of two: exact
// counts at every threshold of a fine grid, in memory that does not grow with the number of
// pairs.
//
// The score of a pair is the float32 product of two float32 unit vectors, their cosine. Scores are
// computed in tiles by the matrix product of internal/kernel, counted in bins 2^-18 wide and forgotten.
// A bin's lower edge is a float32, and counting score >= edge is exact: every rate that is reported
// is that of a real threshold. Only the order of scores within a bin is lost, which bounds the error
// of the AUC: see [eval.ROC.AUCError].
package allpairs
