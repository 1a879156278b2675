package record

import "time"

// Problem is something that is wrong with the program itself, as against an upstream.
type Problem struct {
	Kind   string    `json:"kind"` // a word for machines, such as store_writes
	Since  time.Time `json:"since"`
	Detail string    `json:"detail"` // what is wrong and what to do, for a person
}
