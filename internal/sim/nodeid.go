package sim

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"
)

// nodeKind is the type of an object that has a global id.
type nodeKind string

const (
	nodeRepository nodeKind = "R"
	nodeCommit     nodeKind = "C"
	nodeUser       nodeKind = "U"
)

// legacyKinds are the types as the older form of ids names them.
var legacyKinds = map[nodeKind]string{nodeRepository: "10:Repository", nodeCommit: "6:Commit", nodeUser: "4:User"}

// nodeID is a global id in the older form: the base64 of "010:Repository1296269".
func nodeID(kind, of string) string {
	return base64.StdEncoding.EncodeToString([]byte("0" + kind + of))
}

// legacyID is the id of a repository, of a user, or of a commit of a repository.
func legacyID(kind nodeKind, id int64, commit string) string {
	of := strconv.FormatInt(id, 10)
	if commit != "" {
		of += ":" + commit
	}
	return nodeID(legacyKinds[kind], of)
}

// nextID is the same in the newer form: the base64 of a MessagePack array after the kind.
func nextID(kind nodeKind, id int64, commit string) string {
	pack := []byte{0x92, 0x00, 0xce, 0, 0, 0, 0}
	binary.BigEndian.PutUint32(pack[3:], uint32(id)) // ids of this simulator fit
	if commit != "" {
		pack[0] = 0x93
		pack = append(pack, 0xda, 0x00, byte(len(commit)))
		pack = append(pack, commit...)
	}
	return string(kind) + "_" + base64.RawURLEncoding.EncodeToString(pack)
}

// id is the global id of an object in the form that the request asks for. own is one that was
// declared for it.
func (q *query) id(kind nodeKind, id int64, own, commit string) string {
	legacy := legacyID(kind, id, commit)
	switch {
	case own != "" && own != legacy:
		return own
	case q.next:
		return nextID(kind, id, commit)
	}
	return legacy
}

// parseNodeID reads either form. commit is empty for all but commits.
func parseNodeID(s string) (kind nodeKind, id int64, commit string) {
	if prefix, rest, ok := strings.Cut(s, "_"); ok {
		pack, err := base64.RawURLEncoding.DecodeString(rest)
		if err != nil || len(pack) < 7 || pack[2] != 0xce {
			return "", 0, ""
		}
		if len(pack) > 10 {
			commit = string(pack[10:])
		}
		return nodeKind(prefix), int64(binary.BigEndian.Uint32(pack[3:])), commit
	}
	text, err := base64.StdEncoding.DecodeString(s)
	if err != nil {
		return "", 0, ""
	}
	for kind, name := range legacyKinds {
		if of, ok := strings.CutPrefix(string(text), "0"+name); ok {
			of, commit, _ = strings.Cut(of, ":")
			if _, err := fmt.Sscan(of, &id); err != nil {
				return "", 0, ""
			}
			return kind, id, commit
		}
	}
	return "", 0, ""
}
