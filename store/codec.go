package store

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash/crc32"
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// encode returns v as it is stored: a checksum, then JSON.
func encode(v any) ([]byte, error) {
	body, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	value := make([]byte, 4, 4+len(body))
	binary.BigEndian.PutUint32(value, crc32.Checksum(body, castagnoli))
	return append(value, body...), nil
}

// decode decodes what encode returned into v. An error wraps errDamaged and names
// the place of the value.
func decode(value []byte, v any, place string) error {
	if len(value) < 4 || crc32.Checksum(value[4:], castagnoli) != binary.BigEndian.Uint32(value) {
		return fmt.Errorf("%w: the checksum of %s does not match its value", errDamaged, place)
	}
	if err := json.Unmarshal(value[4:], v); err != nil {
		return fmt.Errorf("%w: %s: %w", errDamaged, place, err)
	}
	return nil
}

// place names the bucket and the id of a value for an error.
func place(bucket []byte, id int) string { return fmt.Sprintf("%s/%d", bucket, id) }
