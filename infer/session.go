// Package infer runs trained models inside applications.
//
//	session, err := infer.Open(dev, model, weights, 1, 28, 28) // weights by go:embed
//	probs, err := session.Predict(ctx, pixels)                 // from any goroutine
//	session.Close()
//
// A session compiles the model and keeps its buffers, and once more when two calls meet:
// then nothing is allocated on the device.
package infer

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"

	"github.com/pumice-ml/pumice/compute"
	"github.com/pumice-ml/pumice/layers"
)

var (
	// ErrInput says that the input is not a whole number of images.
	ErrInput = errors.New("wrong input")
	// ErrWeights says that the weights do not fit the model.
	ErrWeights = errors.New("wrong weights")
	// ErrClosed says that the session was closed.
	ErrClosed = compute.ErrClosed
)

// lanes is how many calls a session runs side by side. The first one is compiled by Open,
// another when a call finds all of them in use, which goes on to wait for one.
const lanes = 2

// Session is a classifier compiled for a device. It is safe for many
// goroutines; Close frees everything it holds but the device.
type Session struct {
	dev    *compute.Device
	params []*compute.Param // those that the device did not hold before
	size   int              // elements of one input
	names  int              // outputs for one input

	compile func(k int) (*lane, error) // lane k

	mu     sync.Mutex
	closed bool
	free   chan *lane
	made   int            // lanes that were begun
	failed error          // of the later ones
	calls  sync.WaitGroup // and lanes that are being compiled
}

// lane is one compiled program with its input and output.
type lane struct {
	program *compute.Program
	x, y    *compute.Tensor
}

// Open sets the model's parameters from weights, a safetensors file in memory
// that holds each of them under its PyTorch name (a checkpoint of package train
// or a state dict; nil takes the parameters as they are on the device, or on the
// host where the device has none of them), and compiles it for inputs of the shape
// (without the batch) and outputs of one row of logits each. Sessions, and a
// training loop, may share a model on a device, and then its parameters as well.
// Errors wrap ErrWeights or those of package compute. It panics where the shape has
// no elements.
func Open(dev *compute.Device, model layers.Layer, weights []byte, shape ...int) (*Session, error) {
	return open(Config{}, dev, model, weights, shape)
}

func open(c Config, dev *compute.Device, model layers.Layer, weights []byte, shape []int) (*Session, error) {
	if dev == nil {
		return nil, fmt.Errorf("infer: Open: no device")
	}
	s := &Session{dev: dev, size: compute.Elements(shape), free: make(chan *lane, lanes)}
	if s.size == 0 {
		panic(fmt.Sprintf("infer: Open: inputs of shape %v have no elements", shape))
	}
	var params []*compute.Param
	for _, p := range layers.Params(model) {
		params = append(params, p)
		if !dev.Holds(p) {
			s.params = append(s.params, p)
		}
	}
	if weights != nil {
		if err := layers.Load(weights, "weights", model); err != nil {
			return nil, fmt.Errorf("infer: Open: %w: %w", ErrWeights, err)
		}
		if err := dev.Upload(params...); err != nil {
			return nil, fmt.Errorf("infer: Open: %w", err)
		}
	}
	shape = slices.Clone(shape)
	record := func() (*lane, *compute.Tape) {
		t := compute.NewTape(dev)
		t.Storage = c.Storage
		l := &lane{x: t.Input("x", compute.F32, append([]int{1}, shape...)...)}
		l.y = model.Forward(t, l.x)
		t.Keep(l.y)
		return l, t
	}
	// The model is the caller's again when Open returns, so that all is recorded before.
	var recorded []func() (*lane, error)
	for range lanes {
		l, t := record()
		recorded = append(recorded, func() (_ *lane, err error) {
			l.program, err = t.Compile()
			return l, err
		})
	}
	s.compile = func(k int) (*lane, error) { return recorded[k]() }
	first, err := s.compile(0)
	if err != nil {
		s.Close()
		return nil, fmt.Errorf("infer: Open: %w", err)
	}
	s.names, s.made = first.y.Len(), 1
	s.free <- first
	return s, nil
}

// another begins to compile a lane, unless there are enough.
func (s *Session) another() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.made == lanes {
		return
	}
	k := s.made
	s.made++
	s.calls.Go(func() { // a call is in progress, so that Close waits
		l, err := s.compile(k)
		if err != nil {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.failed = fmt.Errorf("infer: a second program: %w", err)
			return
		}
		s.free <- l
	})
}

// lane takes a free lane.
func (s *Session) lane(ctx context.Context) (*lane, error) {
	select {
	case l := <-s.free:
		return l, nil
	default:
	}
	s.another()
	select {
	case l := <-s.free:
		return l, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Predict returns the class probabilities of each input, one after another: the
// softmax of the model's logits. The input is one image or several, row-major.
// Errors wrap ErrInput, ErrClosed, the context's error, or those of package
// compute.
func (s *Session) Predict(ctx context.Context, pixels []float32) ([]float32, error) {
	if len(pixels) == 0 || len(pixels)%s.size != 0 {
		return nil, fmt.Errorf("infer: Predict: %d numbers, want a multiple of %d: %w", len(pixels), s.size, ErrInput)
	}
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil, fmt.Errorf("infer: Predict: %w", ErrClosed)
	}
	s.calls.Add(1)
	s.mu.Unlock()
	defer s.calls.Done()
	l, err := s.lane(ctx)
	if err != nil {
		return nil, fmt.Errorf("infer: Predict: %w", err)
	}
	defer func() { s.free <- l }()
	probs := make([]float32, len(pixels)/s.size*s.names)
	for i := range len(pixels) / s.size {
		row := probs[i*s.names : (i+1)*s.names]
		if err := l.run(ctx, pixels[i*s.size:(i+1)*s.size], row); err != nil {
			return nil, fmt.Errorf("infer: Predict: %w", err)
		}
		softmax(row)
	}
	return probs, nil
}

func (l *lane) run(ctx context.Context, x, y []float32) error {
	if err := l.program.Write(l.x, x); err != nil {
		return err
	}
	if err := l.program.Run(ctx); err != nil {
		return err
	}
	return l.program.Read(ctx, l.y, y)
}

// softmax turns logits into probabilities, in place.
func softmax(x []float32) {
	most, sum := math.Inf(-1), 0.0
	for _, v := range x {
		most = max(most, float64(v))
	}
	for _, v := range x {
		sum += math.Exp(float64(v) - most)
	}
	for i, v := range x {
		x[i] = float32(math.Exp(float64(v)-most) / sum)
	}
}

// Close waits for calls in progress and frees the session's programs and the copies
// of the model's parameters that it brought to the device. It returns why calls could not
// run side by side, if they could not. It may be called twice.
func (s *Session) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil
	}
	s.closed = true
	s.mu.Unlock()
	s.calls.Wait()
	for len(s.free) > 0 {
		(<-s.free).program.Close()
	}
	s.dev.Forget(s.params...)
	return s.failed
}
