package main

import (
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/pumice-ml/pumice/bench"
)

// single is the convolution of one channel, which some systems run in a way that is
// out of all proportion: it must not carry the mean.
const single = "conv-a/y"

// writeMarkdown writes a comparison for reading.
func writeMarkdown(w io.Writer, r *bench.Report, skipped map[string]string) error {
	var b strings.Builder
	fmt.Fprintf(&b, "# Pumice and %s\n\n", r.Peer.Name)
	fmt.Fprintf(&b, "`%s`, %s. Medians of %d rounds, both systems in turn in every round;\n", r.Command, r.Date.Format(time.DateOnly), r.Rounds)
	b.WriteString("the ratio is how many times as fast Pumice is: the median of the rounds, with the\nleast and the most. What both computed was compared in every round.\n\n")
	b.WriteString("| | version | adapter | driver | runtime |\n| --- | --- | --- | --- | --- |\n")
	for _, s := range []bench.System{r.System, *r.Peer} {
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s |\n", s.Name, s.Version, s.Adapter, s.Driver, s.Runtime)
	}
	fmt.Fprintf(&b, "\n| | Pumice, ms | %s, ms | Pumice | %s | ratio | least to most |\n| --- | --: | --: | --: | --: | --: | --: |\n", r.Peer.Name, r.Peer.Name)
	product, count := 0.0, 0
	for i := 0; i+1 < len(r.Rows); i += 2 {
		ours, peer := r.Rows[i], r.Rows[i+1]
		least, most := math.Inf(1), 0.0
		for j := range ours.Samples {
			ratio := peer.Samples[j] / ours.Samples[j]
			least, most = min(least, ratio), max(most, ratio)
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | **%s** | %s to %s |\n", ours.Row, bench.Short(ours.Median), bench.Short(peer.Median),
			rate(ours), rate(peer), bench.Short(ours.Ratio), bench.Short(least), bench.Short(most))
		if !strings.Contains(ours.Row, "step") && ours.Row != single {
			product += math.Log(ours.Ratio)
			count++
		}
	}
	if count > 0 {
		fmt.Fprintf(&b, "\nGeometric mean of the operations' ratios, %s left out: %s.\n", single, bench.Short(math.Exp(product/float64(count))))
	}
	last := r.Rows[len(r.Rows)-1]
	fmt.Fprintf(&b, "\nControl, gonum's %s on the processors alone: %s ms, %s to %s.\n", control, bench.Short(last.Median), bench.Short(slices.Min(last.Samples)), bench.Short(slices.Max(last.Samples)))
	reasons := map[string][]string{}
	for _, row := range slices.Sorted(maps.Keys(skipped)) {
		reasons[skipped[row]] = append(reasons[skipped[row]], row)
	}
	for _, reason := range slices.Sorted(maps.Keys(reasons)) {
		fmt.Fprintf(&b, "\nNot measured: %s: %s.\n", strings.Join(reasons[reason], ", "), reason)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func rate(r bench.Row) string {
	if r.RateUnit == "" {
		return ""
	}
	return bench.Short(r.Rate) + " " + r.RateUnit
}
