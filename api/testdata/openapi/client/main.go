// Command client asks an API with the client that oapi-codegen made of its description,
// and prints what it understood. The test that runs it puts client.go beside it.
package main

import (
	"context"
	"fmt"
	"log"
	"os"
)

func main() {
	log.SetFlags(0)
	ctx := context.Background()
	c, err := NewClientWithResponses(os.Args[1])
	check("make a client", err)

	one, err := c.GetPackageWithResponse(ctx, "djorm-ext-pgfulltext", nil)
	check("get a package", err)
	fmt.Println("package", one.JSON200.Id, one.JSON200.RepoWatchers, *one.JSON200.PypiVersion, len(one.JSON200.Participants))

	none, err := c.GetPackageWithResponse(ctx, "no-such-package", nil)
	check("get a package that is not there", err)
	fmt.Println("none", none.StatusCode(), none.JSON404.Detail)

	limit, offset := 2, 1
	page, err := c.GetPackagesWithResponse(ctx, &GetPackagesParams{Limit: &limit, Offset: &offset})
	check("get a page", err)
	fmt.Println("page", page.JSON200.Count, len(page.JSON200.Results), *page.JSON200.Previous)

	since, most := 0, 3
	feed, err := c.GetChangesWithResponse(ctx, &GetChangesParams{Since: &since, Limit: &most})
	check("get changes", err)
	fmt.Println("changes", len(feed.JSON200.Changes), feed.JSON200.More)
	upsert, err := feed.JSON200.Changes[0].AsUpsert()
	check("read a change", err)
	fmt.Println("upsert", upsert.Kind, upsert.Id == upsert.Record.Id)

	older, err := c.GetPackageV3WithResponse(ctx, "djorm-ext-pgfulltext", nil)
	check("get a package of API v3", err)
	fmt.Println("v3", older.JSON200.RepoWatchers, older.JSON200.ResourceUri)

	status, err := c.GetStatusWithResponse(ctx, nil)
	check("get the status", err)
	fmt.Println("status", status.JSON200.Packages)
}

func check(what string, err error) {
	if err != nil {
		log.Fatalf("%s: %v", what, err)
	}
}
