package supervise_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"

	"github.com/pumice-ml/pumice/train/supervise"
)

// A child that dies twice, at steps 40 and 90, and then finishes. The program here is this
// package's test, which does what its arguments say; Command would return the program
// that trains, and Saved the step of its checkpoint (train.Saved).
func ExampleSupervisor() {
	dir, err := os.MkdirTemp("", "supervise")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	s := supervise.Supervisor{
		Command: func(ctx context.Context, resume bool) *exec.Cmd {
			fmt.Println("start, resume", resume)
			return exec.CommandContext(ctx, os.Args[0], dir, "kill:40", "kill:90", "0:100")
		},
		Saved: func() (step int, ok bool) {
			text, err := os.ReadFile(filepath.Join(dir, "saved"))
			step, _ = strconv.Atoi(string(text))
			return step, err == nil
		},
		Died: func(d supervise.Death) { fmt.Println("died; restart", d.Restart, "from step", d.Step) },
	}
	fmt.Println(s.Run(context.Background()))
	// Output:
	// start, resume false
	// died; restart 1 from step 40
	// start, resume true
	// died; restart 2 from step 90
	// start, resume true
	// <nil>
}
