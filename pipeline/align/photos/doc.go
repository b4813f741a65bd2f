// Package photos makes a folder of aligned faces of a folder of photographs. Where the faces are a detector finds, or a file of landmarks says.
//
// Every photograph ends in one of a few outcomes, which a table beside the crops lists with all that is known: faces.csv, which package align reads as landmarks. What
// is there already is not made again. One bad photograph costs one photograph.
package photos
