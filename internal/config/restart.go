package config

import (
	"cmp"
	"fmt"
	"reflect"
	"slices"
)

// KeepUntilRestart sets those keys of next back to their running values that only a
// restart can change, and returns their names. They are the fields whose tag says
// reload:"restart". With them goes what was read from the file that one of them names: the
// field whose tag says of:"KEY".
func KeepUntilRestart(next, running *Config) (keys []string) {
	keepFields(reflect.ValueOf(next).Elem(), reflect.ValueOf(running).Elem(), "", false, &keys)
	if next.Refresh.Workers == 0 && !next.Cluster.Enabled() { // 0 is for the cluster that the restart brings
		next.Refresh.Workers = running.Refresh.Workers
		keys = append(keys, "refresh.workers")
	}
	return keys
}

func keepFields(next, running reflect.Value, section string, keep bool, keys *[]string) {
	for i := range next.NumField() {
		field := next.Type().Field(i)
		key := cmp.Or(field.Tag.Get("yaml"), field.Tag.Get("of"))
		keep := keep || field.Tag.Get("reload") == "restart"
		switch {
		case key == "": // derived
		case isSection(field.Type):
			keepFields(next.Field(i), running.Field(i), section+key+".", keep, keys)
		case keep && written(next.Field(i)) != written(running.Field(i)):
			next.Field(i).Set(running.Field(i))
			if !slices.Contains(*keys, section+key) {
				*keys = append(*keys, section+key)
			}
		}
	}
}

// written is what values are compared by: a time zone is loaded anew each time, and
// secrets all print as the same.
func written(v reflect.Value) string {
	switch v := v.Interface().(type) {
	case Secret:
		return v.Reveal()
	case []Secret:
		var texts []string
		for _, secret := range v {
			texts = append(texts, secret.Reveal())
		}
		return fmt.Sprintf("%q", texts)
	}
	return fmt.Sprint(v)
}

// isSection reports whether t has keys of its own.
func isSection(t reflect.Type) bool {
	return t.Kind() == reflect.Struct && t.NumField() > 0 && t.Field(0).Tag.Get("yaml") != ""
}
