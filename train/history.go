package train

// Epoch is one line of a history.
type Epoch struct {
	Epoch           int     `json:"epoch"` // counted from 1
	Loss            float64 `json:"loss"`  // mean training loss
	TrainAccuracy   float64 `json:"train_accuracy"`
	TestLoss        float64 `json:"test_loss"` // of the validation set; 0 without one, as is the accuracy
	TestAccuracy    float64 `json:"test_accuracy"`
	Seconds         float64 `json:"seconds"` // of training, without the evaluation
	ImagesPerSecond float64 `json:"images_per_second"`
	Skipped         int     `json:"skipped,omitempty"` // steps of the run so far that changed nothing (see LossScale)
	LearningRate    float64 `json:"learning_rate"`     // of the last update
	// Metrics are those of the training set by name (see Metrics.Named), of each batch
	// before its update; TestMetrics those of the validation set, nil without one.
	Metrics     map[string]float64 `json:"metrics,omitempty"`
	TestMetrics map[string]float64 `json:"test_metrics,omitempty"`
	// Confusion is of the validation set, for up to 128 classes. A checkpoint has it of its
	// last epoch alone.
	Confusion Confusion `json:"confusion,omitempty"`
}

// mostTold is the most classes whose confusion a history holds.
const mostTold = 128

// History is what a run measured, epoch by epoch.
type History []Epoch
