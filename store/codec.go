package store

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash/crc32"
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// encode returns v as the file keeps it: checksum, then JSON.
func encode(v any) ([]byte, error) {
	body, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	value := make([]byte, 4, 4+len(body))
	binary.BigEndian.PutUint32(value, crc32.Checksum(body, castagnoli))
	return append(value, body...), nil
}

// decode reads what encode wrote into v. An error wraps errDamaged and names
// the place that value stands in.
func decode(value []byte, v any, place string) error {
	if len(value) < 4 || crc32.Checksum(value[4:], castagnoli) != binary.BigEndian.Uint32(value) {
		return fmt.Errorf("%w: the checksum of %s does not match its value", errDamaged, place)
	}
	if err := json.Unmarshal(value[4:], v); err != nil {
		return fmt.Errorf("%w: %s: %w", errDamaged, place, err)
	}
	return nil
}

// place names where the value of an id stands.
func place(bucket []byte, id int) string { return fmt.Sprintf("%s/%d", bucket, id) }
