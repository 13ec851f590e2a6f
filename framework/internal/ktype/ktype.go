// Package ktype finds out where the running kernel keeps the fields of its structures, from the type information (BTF) that it
// carries: programs that are put together at run time read them there.
package ktype

import (
	"fmt"
	"strings"

	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/btf"
)

// Member is where a field lies within a structure of the running kernel.
type Member struct {
	Offset int16
	Size   asm.Size
}

// Load reads the field of the structure that src points at; smaller ones are filled up with zeros.
func (m Member) Load(dst, src asm.Register) asm.Instruction {
	return asm.LoadMem(dst, src, m.Offset, m.Size)
}

// Kernel returns the running kernel's types.
func Kernel() (*btf.Spec, error) {
	kernel, err := btf.LoadKernelSpec()
	if err != nil {
		return nil, fmt.Errorf("this kernel has no type information (CONFIG_DEBUG_INFO_BTF, /sys/kernel/btf/vmlinux): %w", err)
	}
	return kernel, nil
}

// LookUp finds a field by its path within a structure, such as "rx_opt.ts_recent". It must be of a size that a register takes.
func LookUp(kernel *btf.Spec, strct, path string) (Member, error) {
	offset, typ, err := lookUp(kernel, strct, path)
	if err != nil {
		return Member{}, err
	}
	size, err := btf.Sizeof(typ)
	if err != nil {
		return Member{}, fmt.Errorf("this kernel's struct %s: %s: %w", strct, path, err)
	}
	loads := map[int]asm.Size{1: asm.Byte, 2: asm.Half, 4: asm.Word, 8: asm.DWord}
	load, ok := loads[size]
	if !ok || offset > 1<<15-1 {
		return Member{}, fmt.Errorf("this kernel's struct %s: %s has %d bytes at byte %d: cannot be read", strct, path, size, offset)
	}
	return Member{int16(offset), load}, nil
}

// Offset is where a field of any size begins within a structure, in bytes.
func Offset(kernel *btf.Spec, strct, path string) (int32, error) {
	offset, _, err := lookUp(kernel, strct, path)
	return offset, err
}

func lookUp(kernel *btf.Spec, strct, path string) (int32, btf.Type, error) {
	var typ *btf.Struct
	if err := kernel.TypeByName(strct, &typ); err != nil {
		return 0, nil, fmt.Errorf("this kernel's struct %s: %w", strct, err)
	}
	var offset btf.Bits
	var current btf.Type = typ
	for name := range strings.SplitSeq(path, ".") {
		found, at := find(current, name)
		if found == nil {
			return 0, nil, fmt.Errorf("this kernel's struct %s has no %s", strct, path)
		}
		offset += at
		current = found
	}
	if offset%8 != 0 {
		return 0, nil, fmt.Errorf("this kernel's struct %s: %s is at bit %d: cannot be read", strct, path, offset)
	}
	return int32(offset / 8), current, nil
}

// find looks for a field in a structure or union, and in what is nested in it without a name.
func find(in btf.Type, name string) (btf.Type, btf.Bits) {
	var members []btf.Member
	switch t := btf.UnderlyingType(in).(type) {
	case *btf.Struct:
		members = t.Members
	case *btf.Union:
		members = t.Members
	}
	for _, m := range members {
		if m.Name == name && m.BitfieldSize == 0 {
			return m.Type, m.Offset
		}
		if m.Name == "" {
			if found, at := find(m.Type, name); found != nil {
				return found, m.Offset + at
			}
		}
	}
	return nil, 0
}
