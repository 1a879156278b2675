package strict

import (
	"reflect"
	"sync"
)

// fields are the keys of a struct, which are the yaml tags of its fields.
type fields struct {
	keys  []string       // in the order of the fields
	index map[string]int // key -> index of its field
}

var fieldsCache sync.Map // reflect.Type -> *fields

func fieldsOf(t reflect.Type) *fields {
	if known, ok := fieldsCache.Load(t); ok {
		return known.(*fields)
	}
	f := &fields{index: make(map[string]int)}
	for i := range t.NumField() {
		if tag := t.Field(i).Tag.Get("yaml"); tag != "" {
			f.keys = append(f.keys, tag)
			f.index[tag] = i
		}
	}
	fieldsCache.Store(t, f)
	return f
}

// lookup returns the field of v that has the key.
func (f *fields) lookup(v reflect.Value, key string) (field reflect.Value, known bool) {
	i, known := f.index[key]
	if !known {
		return reflect.Value{}, false
	}
	return v.Field(i), true
}

// KeyNames returns the full names, such as store.path, of all keys that a file
// decoded into a struct of this type may have. It does not look into lists.
func KeyNames(t reflect.Type) []string { return keyNames(t, "") }

func keyNames(t reflect.Type, prefix string) []string {
	var names []string
	for i := range t.NumField() {
		f := t.Field(i)
		tag := f.Tag.Get("yaml")
		switch {
		case tag == "":
		case f.Type.Kind() == reflect.Struct && !settable(reflect.New(f.Type).Interface()):
			names = append(names, keyNames(f.Type, prefix+tag+".")...)
		default:
			names = append(names, prefix+tag)
		}
	}
	return names
}
