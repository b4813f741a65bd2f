package pipeline

import "github.com/faceverify/fv/pipeline/tfevents"

// scalars returns what TensorBoard shows of a step: docs/log.md has the tags. Angles are in degrees there.
func (l *logLine) scalars() []tfevents.Scalar {
	if l.Skipped != "" {
		return []tfevents.Scalar{{Tag: "epoch", Value: l.Epoch}, {Tag: "lr", Value: l.LR}}
	}
	s := []tfevents.Scalar{
		{Tag: "epoch", Value: l.Epoch}, {Tag: "loss", Value: l.Loss}, {Tag: "lr", Value: l.LR}, {Tag: "grad_norm", Value: l.GradNorm},
		{Tag: "batch_cosine", Value: l.Cosine}, {Tag: "img_s", Value: l.ImgS}, {Tag: "feature_norm", Value: l.FeatureNorm},
	}
	add := func(tag string, v *float64, unit float64) {
		if v != nil {
			s = append(s, tfevents.Scalar{Tag: tag, Value: unit * *v})
		}
	}
	add("degrees/target", l.TargetAngle, degrees)
	add("degrees/nearest_other", l.OtherAngle, degrees)
	if c := l.Classes; c != nil {
		add("degrees/classes_min", &c.Smallest, degrees)
		add("degrees/classes_mean", &c.Mean, degrees)
	}
	if e := l.Exchange; e != nil {
		bytes := float64(e.Bytes)
		add("exchange/bytes", &bytes, 1)
		add("exchange/sums", &e.Sums, 1)
		add("exchange/waited", &e.Waited, 1)
	}
	if v := l.Val; v != nil {
		add("val/auc", &v.AUC, 1)
		add("val/accuracy", &v.Accuracy, 1)
		add("val/eer", &v.EER, 1)
		add("val/tar", v.TAR, 1)
		add("val/far", v.FAR, 1)
		add("val/threshold", &v.Threshold, 1)
		add("val/seconds", &v.Seconds, 1)
	}
	return s
}
