// Package eval measures face verification the way a biometrics laboratory would:
// from pairs of images, or from scores alone, to an exact ROC, error rates with
// their counts and confidence intervals, the accuracy protocols that papers
// quote, pictures and a report.
//
// The package knows nothing of models. It sees images only through [Embedder],
// and works as well on plain slices of scores:
//
//	roc, err := eval.NewROC(scores, same)
//	fmt.Println(roc.AUC(), roc.EER().Value, roc.AtFAR(1e-3).TAR)
//
// # Conventions
//
// A score is a similarity: the larger, the more alike. A pair is accepted (said
// to be one person) when score >= threshold. Genuine pairs show one person,
// impostor pairs two. FMR, the false match rate, is the share of impostor pairs
// accepted; FNMR, the false non-match rate, the share of genuine pairs refused;
// FAR and TAR are used, as the face literature does, for FMR and 1-FNMR.
// Angles are in radians, except in fields that say degrees.
package eval
