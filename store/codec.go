package store

import (
	"bytes"
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
	return sealed(body), nil
}

// sealed returns JSON as it is stored.
func sealed(body []byte) []byte {
	value := make([]byte, 4, 4+len(body))
	binary.BigEndian.PutUint32(value, crc32.Checksum(body, castagnoli))
	return append(value, body...)
}

// decode decodes what encode returned into v. An error wraps errDamaged and names
// the place of the value.
func decode(value []byte, v any, place string) error {
	if !intact(value) {
		return fmt.Errorf("%w: the checksum of %s does not match its value", errDamaged, place)
	}
	if err := json.Unmarshal(value[4:], v); err != nil {
		return fmt.Errorf("%w: %s: %w", errDamaged, place, err)
	}
	return nil
}

// intact reports whether the checksum of a value is that of what follows it.
func intact(value []byte) bool {
	return len(value) >= 4 && crc32.Checksum(value[4:], castagnoli) == binary.BigEndian.Uint32(value)
}

// placeOf names the bucket and the key of a value: an id, a sequence or a text.
func placeOf(bucket, k []byte) string {
	if len(k) == 8 && !bytes.Equal(bucket, bucketSources) && !bytes.Equal(bucket, bucketSlugs) {
		return place(bucket, int(number(k)))
	}
	return fmt.Sprintf("%s/%s", bucket, k)
}

// place names the bucket and the id of a value for an error.
func place(bucket []byte, id int) string { return fmt.Sprintf("%s/%d", bucket, id) }
