// Package report keeps what a training run was and shows it: a run folder with
// its settings and history, event files that TensorBoard reads, and one HTML page
// with curves, mistakes, filters, activations and times.
//
// A [Folder] is written while a run goes on, and read by [Open], [Find] and
// [Compare]. [Collect] asks a trained model, on its device, for what the page
// shows beside the history; [HTML] writes the page, which needs no other file and
// no network. [Events] writes event files alone.
//
//	found, err := report.Collect(ctx, dev, loop, trainSet, testSet, report.Options{})
//	err = report.HTML(w, report.Report{Title: "digits", History: history, Findings: found})
package report
