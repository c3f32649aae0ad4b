// Conformweb runs the conformance suite and prints one JSON object per line, for the
// page beside it: compiled for a browser it checks the browser's WebGPU.
//
//	{"device": "...", "cases": 3134}
//	{"done": 17, "cases": 3840}
//	{"report": {...}}   or   {"error": "..."}
package main

import (
	"context"
	"encoding/json"
	"flag"
	"os"
	"strings"
	"time"

	"github.com/pumice-ml/pumice/compute"
	"github.com/pumice-ml/pumice/compute/conform"
	"github.com/pumice-ml/pumice/suite"
)

func main() {
	match := flag.String("kernel", "", "only kernels or layers that match")
	variants := flag.Bool("variants", false, "also with each variant of the kernels, and without any")
	plain := flag.Bool("plain", false, "only the first shape and the plain values of each operation that is not large")
	flag.Parse()
	if err := run(*match, *plain, *variants); err != nil {
		tell(map[string]any{"error": err.Error()})
	}
}

func tell(v any) {
	if err := json.NewEncoder(os.Stdout).Encode(v); err != nil {
		os.Exit(1)
	}
}

func run(match string, plain, variants bool) error {
	ctx := context.Background()
	dev, err := compute.Open(ctx)
	if err != nil {
		return err
	}
	defer dev.Close()
	var ops []conform.Op
	for _, op := range suite.Ops() {
		if plain {
			op.Shapes, op.Patterns = op.Shapes[:1], []string{"uniform"}
		}
		if large := strings.HasSuffix(op.Name, "/long") || strings.HasSuffix(op.Name, "/large"); !plain || !large {
			ops = append(ops, op)
		}
	}
	tell(map[string]any{"device": dev.String(), "cases": len(conform.Cases(ops, 7))})
	told := time.Now()
	report, err := conform.Run(ctx, dev, ops, conform.Options{Match: match, Variants: variants, Progress: func(done, all int) {
		if time.Since(told) > 200*time.Millisecond {
			told = time.Now()
			tell(map[string]any{"done": done, "cases": all})
		}
	}})
	if err != nil {
		return err
	}
	tell(map[string]any{"report": report, "summary": report.Summary(), "ok": report.OK()})
	return nil
}
