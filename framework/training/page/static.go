package page

import (
	"embed"
	"io/fs"
	"net/http"
)

// files are the page. xterm.js (static/xterm, with its licence) is kept in the repository: a page that needs npm or the network to be
// built would be missing in what `go install` makes. A test holds it to what npm installs by testdata/xterm/package-lock.json.
//
//go:embed static
var files embed.FS

func static() http.Handler {
	inside, err := fs.Sub(files, "static")
	if err != nil {
		panic(err) // the folder is embedded above
	}
	return http.FileServerFS(inside)
}
