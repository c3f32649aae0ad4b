package main

import (
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/pumice-ml/pumice/compute"
	"github.com/pumice-ml/pumice/compute/devicetest"
)

// TestInt8 trains, and wants of int8 weights another loss, nearly the accuracy, of 200
// images, and the same digit.
func TestInt8(t *testing.T) {
	dir := t.TempDir()
	must(t, "train", "--images", "1000", "--epochs", "2", "--out", dir)
	result := func(dtype string) (accuracy, loss float64) {
		out := must(t, "eval", "--images", "1000", "--out", dir, "--dtype", dtype)
		m := regexp.MustCompile(`accuracy ([\d.]+)%, loss ([\d.]+)`).FindStringSubmatch(out)
		if m == nil {
			t.Fatal(out)
		}
		accuracy, err := strconv.ParseFloat(m[1], 64)
		if err != nil {
			t.Fatal(err)
		}
		if loss, err = strconv.ParseFloat(m[2], 64); err != nil {
			t.Fatal(err)
		}
		return accuracy, loss
	}
	full, loss := result("f32")
	small, other := result("int8")
	if full < 50 || small < full-1 || small > full+1 || loss == other {
		t.Errorf("accuracy %.2f%%, loss %v; int8 %.2f%%, %v, want two images between them, and another loss", full, loss, small, other)
	}
	told := func(dtype string) string {
		out := must(t, "predict", "--images", "1000", "--out", dir, "--index", "3", "--dtype", dtype)
		_, after, _ := strings.Cut(out, "this is ")
		return after
	}
	if a, b := told("f32"), told("int8"); a == "" || a[:1] != b[:1] {
		t.Errorf("f32 tells %sint8 %s", a, b)
	}
	for _, command := range []string{"eval", "predict --index 0"} {
		args := append(strings.Fields(command), "--out", dir, "--dtype", "f8")
		if _, err := demo(t, args...); err == nil || !strings.Contains(err.Error(), `--dtype "f8", want f32, f16 or int8`) {
			t.Errorf("%s: %v", command, err)
		}
	}
}

// TestF16 trains, evaluates and predicts with f16, or wants an error that names the feature.
func TestF16(t *testing.T) {
	dir, stores := t.TempDir(), devicetest.Open(t).Stores(compute.F16)
	must(t, "train", "--images", "300", "--epochs", "1", "--model", "mlp", "--out", dir)
	for _, args := range [][]string{{"train", "--epochs", "1", "--model", "mlp"}, {"eval"}, {"predict", "--index", "3"}} {
		args = append(args, "--dtype", "f16", "--images", "300", "--out", dir)
		out, err := demo(t, args...)
		switch {
		case stores == nil && (err != nil || !strings.Contains(out, "%")):
			t.Errorf("%v: got %q, %v", args, out, err)
		case stores != nil && (err == nil || !strings.Contains(err.Error(), "shader-f16")):
			t.Errorf("%v: got %v, want an error that names the feature", args, err)
		}
		if _, err := demo(t, append(args, "--device", "reference")...); err == nil || !strings.Contains(err.Error(), "shader-f16") {
			t.Errorf("%v on the reference device: got %v, want an error that names the feature", args, err)
		}
		if _, err := demo(t, append(args, "--dtype", "f8")...); err == nil || !strings.Contains(err.Error(), "--dtype") {
			t.Errorf("%v: got %v for f8", args, err)
		}
	}
}
