package compute

import "github.com/pumice-ml/pumice/internal/ir"

// The errors that callers may want to distinguish with errors.Is. Each comes
// wrapped with the operation, the names and sizes involved, and the driver's
// text.
var (
	// ErrNoAdapter says that no GPU adapter was found, or none that was asked for.
	ErrNoAdapter = ir.ErrNoAdapter
	// ErrDeviceLost says that the GPU was reset or removed; open another device
	// and continue from a checkpoint.
	ErrDeviceLost = ir.ErrDeviceLost
	// ErrOutOfMemory says that the device could not allocate a buffer.
	ErrOutOfMemory = ir.ErrOutOfMemory
	// ErrLimit says that a tensor, dispatch or kernel is beyond a limit of the
	// device.
	ErrLimit = ir.ErrLimit
	// ErrFeature says that the device was opened without a feature that is needed.
	ErrFeature = ir.ErrFeature
	// ErrWrongNumbers says that a kernel that a program needs computes something else
	// on this device than it is defined to.
	ErrWrongNumbers = ir.ErrWrongNumbers
	// ErrClosed says that the device or program was closed.
	ErrClosed = ir.ErrClosed
)
