package api

import (
	"bytes"
	"fmt"
	"mime"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

// node is an object of the document.
type node = map[string]any

// A described is the document at /openapi.json, and what of it an answer was
// held against.
type described struct {
	root     node
	compiler *jsonschema.Compiler
	schemas  map[string]*jsonschema.Schema // by pointer
	used     map[string]bool               // by pointer: the contents and headers of responses that answers had
}

const describedAt = "http://example.com/openapi.json"

func readDocument(t testing.TB, text []byte) *described {
	t.Helper()
	parsed, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	d := &described{root: parsed.(node), compiler: jsonschema.NewCompiler(), schemas: map[string]*jsonschema.Schema{}, used: map[string]bool{}}
	d.compiler.AssertFormat()
	if err := d.compiler.AddResource(describedAt, parsed); err != nil {
		t.Fatal(err)
	}
	return d
}

// at returns what a pointer leads to, and the pointer to it once the references
// on the way are followed; nil where there is nothing.
func (d *described) at(pointer string) (any, string) {
	var here any = d.root
	path := ""
	for token := range strings.SplitSeq(strings.TrimPrefix(pointer, "/"), "/") {
		switch v := here.(type) {
		case node:
			here = v[unescape.Replace(token)]
		case []any:
			i, err := strconv.Atoi(token)
			if err != nil || i < 0 || i >= len(v) {
				return nil, ""
			}
			here = v[i]
		default:
			return nil, ""
		}
		path += "/" + token
		if v, ok := here.(node); ok {
			if ref, ok := v["$ref"].(string); ok {
				here, path = d.at(strings.TrimPrefix(ref, "#"))
			}
		}
	}
	return here, path
}

var (
	escape   = strings.NewReplacer("~", "~0", "/", "~1")
	unescape = strings.NewReplacer("~1", "/", "~0", "~")
)

// pointer joins the tokens of a pointer.
func pointer(tokens ...string) string {
	var b strings.Builder
	for _, token := range tokens {
		b.WriteString("/" + escape.Replace(token))
	}
	return b.String()
}

// valid holds a value against the schema at a pointer.
func (d *described) valid(pointer string, value any) error {
	schema := d.schemas[pointer]
	if schema == nil {
		var err error
		if schema, err = d.compiler.Compile(describedAt + "#" + pointer); err != nil {
			return err
		}
		d.schemas[pointer] = schema
	}
	return schema.Validate(value)
}

// walk calls see for every object below n, with the pointer to it.
func walk(pointer string, n any, see func(pointer string, n node)) {
	switch v := n.(type) {
	case node:
		see(pointer, v)
		for key, item := range v {
			walk(pointer+"/"+escape.Replace(key), item, see)
		}
	case []any:
		for i, item := range v {
			walk(pointer+"/"+strconv.Itoa(i), item, see)
		}
	}
}

// holds holds an answer against the response at a pointer: its headers, its
// type and its body.
func (d *described) holds(response string, head bool, w *httptest.ResponseRecorder) error {
	found, at := d.at(response)
	documented, ok := found.(node)
	if !ok {
		return fmt.Errorf("the status %d is not documented there", w.Code)
	}
	headers, _ := documented["headers"].(node)
	for name, values := range w.Header() {
		if _, ok := headers[documentedName(headers, name)]; !ok && name != "Content-Type" {
			return fmt.Errorf("the header %s: %s is not documented", name, values)
		}
	}
	for name := range headers {
		header, headerAt := d.at(at + pointer("headers", name))
		values := w.Header().Values(name)
		if len(values) == 0 {
			if header.(node)["required"] == true {
				return fmt.Errorf("the answer lacks the header %s", name)
			}
			continue
		}
		if err := d.valid(headerAt+"/schema", strings.Join(values, ", ")); err != nil {
			return fmt.Errorf("the header %s: %w", name, err)
		}
		d.used[response+pointer("headers", name)] = true
	}
	content, _ := documented["content"].(node)
	if len(content) == 0 {
		d.used[response] = true
		if w.Body.Len() != 0 && !head { // to HEAD a server sends none, whatever is written
			return fmt.Errorf("it has a body: %.100s", w.Body)
		}
		return nil
	}
	if head {
		return fmt.Errorf("the document has a body for HEAD")
	}
	mediaType, _, err := mime.ParseMediaType(w.Header().Get("Content-Type"))
	if err != nil {
		return err
	}
	media := at + pointer("content", mediaType)
	if content[mediaType] == nil {
		return fmt.Errorf("the type %s is not documented", mediaType)
	}
	d.used[response+pointer("content", mediaType)] = true
	return d.holdsBody(media, mediaType, w)
}

func documentedName(headers node, name string) string {
	for documented := range headers {
		if strings.EqualFold(documented, name) {
			return documented
		}
	}
	return ""
}

func (d *described) holdsBody(media, mediaType string, w *httptest.ResponseRecorder) error {
	body := w.Body.Bytes()
	if w.Code != http.StatusPartialContent { // a part alone cannot be decoded
		var err error
		if body, err = decoded(w); err != nil {
			return err
		}
	}
	if mediaType != "application/json" {
		if err := d.valid(media+"/schema", string(body)); err != nil {
			return err
		}
		if line, _ := d.at(media + "/x-line-schema"); line == nil {
			return nil
		}
		for line := range bytes.Lines(body) {
			value, err := jsonschema.UnmarshalJSON(bytes.NewReader(line))
			if err != nil {
				return err
			}
			if err := d.valid(media+"/x-line-schema", value); err != nil {
				return err
			}
		}
		return nil
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
	if err != nil {
		return err
	}
	return d.valid(media+"/schema", value)
}

func openAPISchema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	const name = "testdata/openapi/schema-3.1.json"
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	official, err := jsonschema.UnmarshalJSON(f)
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	at := official.(node)["$id"].(string)
	if err := c.AddResource(at, official); err != nil {
		t.Fatal(err)
	}
	schema, err := c.Compile(at)
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

func TestDescriptionIsOpenAPI(t *testing.T) {
	official := openAPISchema(t)
	d := readDocument(t, openAPIDocument)
	if err := official.Validate(d.root); err != nil {
		t.Fatalf("openapi.json is not OpenAPI 3.1:\n%v", err)
	}
	// The schema can tell.
	delete(d.root["info"].(node), "title")
	if official.Validate(d.root) == nil {
		t.Error("a document without a title passes")
	}
}

// TestDescriptionIsWhole: what the schema of OpenAPI cannot tell.
func TestDescriptionIsWhole(t *testing.T) {
	d := readDocument(t, openAPIDocument)
	referred := map[string]bool{}
	operations := map[string]bool{}
	walk("", d.root, func(at string, n node) {
		if ref, ok := n["$ref"].(string); ok {
			if !strings.Contains(at, "/x-") { // what only extensions refer to is unused for who does not know them
				referred[strings.TrimPrefix(ref, "#")] = true
			}
			if found, _ := d.at(strings.TrimPrefix(ref, "#")); found == nil || len(n) != 1 {
				t.Errorf("%s: the reference %s has no target, or members beside it", at, ref)
			}
		}
		if id, ok := n["operationId"].(string); ok {
			if operations[id] {
				t.Errorf("%s: the operationId %s is not unique", at, id)
			}
			operations[id] = true
		}
		if n["type"] == "object" && strings.HasPrefix(at, "/components/schemas/") {
			checkObject(t, at, n)
		}
		if example, ok := n["example"]; ok && n["schema"] != nil {
			if err := d.valid(at+"/schema", example); err != nil {
				t.Errorf("%s: the example does not match the schema: %v", at, err)
			}
		}
	})
	if security, ok := d.root["security"].([]any); !ok || len(security) > 0 {
		t.Error("it does not say that no operation needs credentials")
	}
	components := d.root["components"].(node)
	for kind, members := range components {
		for name := range members.(node) {
			at := pointer("components", kind, name)
			if !referred[at] {
				t.Errorf("nothing refers to %s", at)
			}
			if kind == "schemas" {
				if _, err := d.compiler.Compile(describedAt + "#" + at); err != nil {
					t.Errorf("%s is not a JSON Schema: %v", at, err)
				}
			}
		}
	}
	for path, item := range d.root["paths"].(node) {
		var declared []string
		parameters, _ := item.(node)["parameters"].([]any)
		for i := range parameters {
			parameter, _ := d.at(pointer("paths", path, "parameters", strconv.Itoa(i)))
			declared = append(declared, parameter.(node)["name"].(string))
		}
		var named []string
		for part := range strings.SplitSeq(path, "/") {
			if name, ok := strings.CutPrefix(part, "{"); ok {
				named = append(named, strings.TrimSuffix(name, "}"))
			}
		}
		if !slices.Equal(declared, named) {
			t.Errorf("%s names the parameters %v and declares %v", path, named, declared)
		}
	}
}

// checkObject: every object is closed, and every member of it described.
func checkObject(t *testing.T, at string, n node) {
	if n["additionalProperties"] != false || n["required"] == nil || n["description"] == nil {
		t.Errorf("%s: additionalProperties is %v, required %v, the description %v", at, n["additionalProperties"], n["required"], n["description"])
	}
	properties := n["properties"].(node)
	for name, property := range properties {
		if p := property.(node); p["description"] == nil && p["$ref"] == nil {
			t.Errorf("%s: %s has no description", at, name)
		}
	}
	for _, name := range n["required"].([]any) {
		if properties[name.(string)] == nil {
			t.Errorf("%s: %s is required and unknown", at, name)
		}
	}
}

// TestExamplesAreAnswers: the examples are what is answered over the documented
// records.
func TestExamplesAreAnswers(t *testing.T) {
	d := readDocument(t, openAPIDocument)
	records, zone := documented(t)
	o := Options{PublicURL: "https://packages.example.org", Location: zone}
	o.Store = records.store(t, o)
	h := newHandler(t, o)
	for path, target := range map[string]string{
		"/api/v4/":                 "/api/v4/",
		"/api/v4/packages/{key}/":  "/api/v4/packages/1609/",
		"/api/v3/packages/{slug}/": "/api/v3/packages/djorm-ext-pgfulltext/",
		"/api/v4/grids/{key}/":     "/api/v4/grids/58/",
		"/api/v4/categories/{id}/": "/api/v4/categories/1/",
	} {
		example, _ := d.at(pointer("paths", path, "get", "responses", "200", "content", "application/json", "example"))
		answer, err := jsonschema.UnmarshalJSON(do(h, "GET", target).Body)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(answer, example); diff != "" {
			t.Errorf("%s: the example is not the answer (-answer +example):\n%s", target, diff)
		}
	}
}
