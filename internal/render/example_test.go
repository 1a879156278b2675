package render_test

import (
	"fmt"
	"os"
	"time"

	"pkgmetad/internal/record"
	"pkgmetad/internal/render"
)

// A record is rendered once, with marks where its links begin and end, and
// completed for each answer.
func Example() {
	rec := record.Package{Entry: record.Entry{ID: 7, Slug: "requests", Title: "Requests", Category: 2}}
	rendering := render.Rendering{Zone: time.UTC, Base: "https://packages.example.org"}
	kept := rendering.Template()(&rec)

	answer := render.Fill(nil, kept, render.Links{Base: rendering.Base, Suffix: "/"})
	fmt.Println(rendering.Name())
	os.Stdout.Write(answer[:72])
	// Output:
	// v1 UTC https://packages.example.org
	// {"category":"https://packages.example.org/api/v4/categories/2/","grids":
}
