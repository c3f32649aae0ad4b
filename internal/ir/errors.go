package ir

import (
	"errors"

	"github.com/pumice-ml/pumice/internal/webgpu"
)

// The errors that callers may want to tell apart with errors.Is. Each comes
// wrapped with the operation, the names and sizes involved, and the driver's
// text.
var (
	// ErrNoAdapter says that no GPU adapter was found, or none that was asked for.
	ErrNoAdapter = webgpu.ErrNone
	// ErrDeviceLost says that the GPU was reset or removed; open another device
	// and continue from a checkpoint.
	ErrDeviceLost = webgpu.ErrLost
	// ErrOutOfMemory says that the device could not allocate a buffer.
	ErrOutOfMemory = webgpu.ErrOutOfMemory
	// ErrLimit says that a tensor, dispatch or kernel is beyond a limit of the
	// device.
	ErrLimit = errors.New("limit of the device exceeded")
	// ErrFeature says that the device was opened without a feature that is needed.
	ErrFeature = errors.New("feature of the device missing")
	// ErrWrongNumbers says that a kernel that a program needs computes something else
	// on this device than it is defined to.
	ErrWrongNumbers = errors.New("the device computes wrong numbers")
	// ErrClosed says that the device or program was closed.
	ErrClosed = errors.New("closed")
)
