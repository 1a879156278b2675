package config

import (
	"fmt"
	"reflect"
)

// KeepUntilRestart sets those keys of next back to their running values that only a
// restart can change, and returns their names. They are the fields whose tag says
// reload:"restart".
func KeepUntilRestart(next, running *Config) (keys []string) {
	keepFields(reflect.ValueOf(next).Elem(), reflect.ValueOf(running).Elem(), "", false, &keys)
	return keys
}

func keepFields(next, running reflect.Value, section string, keep bool, keys *[]string) {
	for i := range next.NumField() {
		field := next.Type().Field(i)
		key := field.Tag.Get("yaml")
		keep := keep || field.Tag.Get("reload") == "restart"
		switch {
		case key == "": // derived
		case isSection(field.Type):
			keepFields(next.Field(i), running.Field(i), section+key+".", keep, keys)
		case keep && fmt.Sprint(next.Field(i)) != fmt.Sprint(running.Field(i)): // by what is written: a time zone is loaded anew each time
			next.Field(i).Set(running.Field(i))
			*keys = append(*keys, section+key)
		}
	}
}

// isSection reports whether t has keys of its own.
func isSection(t reflect.Type) bool {
	return t.Kind() == reflect.Struct && t.NumField() > 0 && t.Field(0).Tag.Get("yaml") != ""
}
