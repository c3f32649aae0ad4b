package layers

import (
	"fmt"

	"github.com/pumice-ml/pumice/compute"
)

// Residual is y = Body(x) + Shortcut(x) (He et al. 2016). Its parameters are
// named "body." and "shortcut.".
type Residual struct {
	Body     Layer
	Shortcut Layer // default x itself
}

// Forward panics where the two shapes differ.
func (l Residual) Forward(t *compute.Tape, x *compute.Tensor) *compute.Tensor {
	var body *compute.Tensor
	t.Within("body", func() { body = l.Body.Forward(t, x) })
	shortcut := x
	if l.Shortcut != nil {
		t.Within("shortcut", func() { shortcut = l.Shortcut.Forward(t, x) })
	}
	if fmt.Sprint(body.Shape()) != fmt.Sprint(shortcut.Shape()) {
		panic(fmt.Sprintf("layers: Residual: body gives %v, shortcut %v, want the same shape", body.Shape(), shortcut.Shape()))
	}
	return Add(t, body, shortcut)
}

// Walk visits the parameters of both.
func (l Residual) Walk(visit func(name string, p *compute.Param)) {
	walkInto("body", l.Body, visit)
	if l.Shortcut != nil {
		walkInto("shortcut", l.Shortcut, visit)
	}
}

func (l Residual) String() string {
	if l.Shortcut == nil {
		return fmt.Sprintf("Residual(%v)", l.Body)
	}
	return fmt.Sprintf("Residual(%v + %v)", l.Body, l.Shortcut)
}
