package record

import (
	"fmt"
	"time"
)

// A Write is a change of one record that is to be published to several hosts.
type Write struct {
	Name   string // of the record: "source/github.com/django/django", "entry/1609", "category/1", "grid/3"
	Data   []byte
	Expect uint64 // sequence of the last message of that name that the writer knows; 0 for none
}

// A Message is a Write that was taken, as every host gets it.
type Message struct {
	Name     string
	Data     []byte
	Sequence uint64    // which all messages share; ascending
	Time     time.Time // when it was taken, UTC
}

// A Conflict is the error of a [Write] of a record that somebody else has written since.
type Conflict struct {
	Name     string
	Sequence uint64 // of the last message of that name
}

func (c *Conflict) Error() string {
	return fmt.Sprintf("another host has written %s since, as %d", c.Name, c.Sequence)
}
