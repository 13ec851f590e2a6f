package page

import (
	"bytes"
	"html/template"
	"net/url"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/text"
)

// deepest is the level of the heading below which write-ups stand.
const deepest = 3

// markdown renders a write-up without its title, for the place below a heading of its own. HTML in it is left out, and links that
// lead to other files of the project become text: the page stands alone.
func markdown(source string) (template.HTML, error) {
	md := goldmark.New(goldmark.WithExtensions(extension.Table))
	data := []byte(source)
	root := md.Parser().Parse(text.NewReader(data))
	var gone, unlinked []ast.Node
	err := ast.Walk(root, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if !entering {
			return ast.WalkContinue, nil
		}
		switch n := n.(type) {
		case *ast.Heading:
			if n.Level == 1 {
				gone = append(gone, n)
			}
			n.Level = min(n.Level+deepest-1, 6)
		case *ast.Link:
			if u, err := url.Parse(string(n.Destination)); err != nil || u.Scheme != "https" {
				unlinked = append(unlinked, n)
			}
		case *ast.Image:
			gone = append(gone, n)
		}
		return ast.WalkContinue, nil
	})
	if err != nil {
		return "", err
	}
	for _, n := range unlinked {
		for child := n.FirstChild(); child != nil; child = n.FirstChild() {
			n.Parent().InsertBefore(n.Parent(), n, child)
		}
		n.Parent().RemoveChild(n.Parent(), n)
	}
	for _, n := range gone {
		n.Parent().RemoveChild(n.Parent(), n)
	}
	var out bytes.Buffer
	if err := md.Renderer().Render(&out, data, root); err != nil {
		return "", err
	}
	return template.HTML(out.String()), nil // the renderer escapes, and keeps no HTML of its source
}
