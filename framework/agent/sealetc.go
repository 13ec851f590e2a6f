package agent

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// settings are the files and folders of /etc that programs of /usr need. All others are this machine's own business, and may tell
// what it is for.
var settings = []string{
	"alternatives", "bash.bashrc", "debian_version", "ethertypes", "gai.conf", "host.conf", "inputrc", "iproute2", "issue", "ld.so.cache",
	"ld.so.conf", "ld.so.conf.d", "localtime", "lsb-release", "magic", "nsswitch.conf", "os-release", "profile", "protocols", "rpc",
	"services", "shells", "ssl/openssl.cnf", "terminfo", "xattr.conf",
}

// sealedEtc copies them. Of the users, those of programs stay, such as tcpdump's: not people.
func sealedEtc() error {
	const etc = newRoot + "/etc"
	for _, name := range settings {
		if err := copyTree(filepath.Join("/etc", name), filepath.Join(etc, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	for _, name := range []string{"passwd", "group"} {
		content, err := os.ReadFile("/etc/" + name)
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(etc, name), []byte(withoutPeople(string(content))), 0o644); err != nil {
			return err
		}
	}
	hosts := "127.0.0.1 localhost\n"
	return errors.Join(os.WriteFile(etc+"/hosts", []byte(hosts), 0o644), os.Symlink("/proc/self/mounts", etc+"/mtab"))
}

// firstPerson is the least user ID of people (login.defs(5), UID_MIN); nobody is none.
const firstPerson, nobody = 1000, 65534

// withoutPeople leaves out the lines of passwd(5) or group(5) with people's IDs, and a group's members.
func withoutPeople(lines string) string {
	var kept strings.Builder
	for line := range strings.Lines(lines) {
		fields := strings.Split(strings.TrimSpace(line), ":")
		if len(fields) < 4 {
			continue
		}
		id, err := strconv.Atoi(fields[2])
		if err != nil || id >= firstPerson && id != nobody {
			continue
		}
		if len(fields) == 4 { // a group
			fields[3] = ""
		}
		kept.WriteString(strings.Join(fields, ":") + "\n")
	}
	return kept.String()
}

// copyTree copies a file, a link, or a folder with all that is in it. Links stay as they are.
func copyTree(from, to string) error {
	return filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		target := to + strings.TrimPrefix(path, from)
		if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
			return err
		}
		switch {
		case d.IsDir():
			return os.MkdirAll(target, 0o755)
		case d.Type()&fs.ModeSymlink != 0:
			link, err := os.Readlink(path)
			if err != nil {
				return err
			}
			return os.Symlink(link, target)
		case d.Type().IsRegular():
			return copyFile(path, target)
		}
		return nil
	})
}

func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	info, err := in.Stat()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	out, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY|os.O_EXCL, info.Mode().Perm())
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}
