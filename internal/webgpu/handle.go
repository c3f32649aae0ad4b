//go:build cgo && !js

package webgpu

import (
	"fmt"
	"reflect"
	"unsafe"
)

// raw reads the private handle of a binding's object: its field ref.
func raw[T any](object *T) unsafe.Pointer {
	f, ok := reflect.TypeFor[T]().FieldByName("ref")
	if !ok || f.Type.Size() != unsafe.Sizeof(uintptr(0)) {
		panic(fmt.Sprintf("webgpu: %v of %s has no handle in a field ref", reflect.TypeFor[T](), Binding))
	}
	return *(*unsafe.Pointer)(unsafe.Add(unsafe.Pointer(object), f.Offset))
}

// setRaw writes the private handle of a binding's object.
func setRaw[T any](object *T, handle unsafe.Pointer) {
	f, ok := reflect.TypeFor[T]().FieldByName("ref")
	if !ok {
		panic(fmt.Sprintf("webgpu: %v of %s has no handle in a field ref", reflect.TypeFor[T](), Binding))
	}
	*(*unsafe.Pointer)(unsafe.Add(unsafe.Pointer(object), f.Offset)) = handle
}
