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

// A Conflict is the error of writes of which one is of a record that somebody else has written
// since. Who has applied Sequence can compute them again.
type Conflict struct {
	Name     string
	Sequence uint64 // of the last message of that name; 0 if it has none
	Others   int    // writes that were refused too; their sequences are not above this one
}

func (c *Conflict) Error() string {
	others := ""
	if c.Others > 0 {
		others = fmt.Sprintf(", and %d others", c.Others)
	}
	return fmt.Sprintf("%s was changed by another host, in message %d%s", c.Name, c.Sequence, others)
}
