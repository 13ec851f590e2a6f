package netns

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/netfault/netfault/framework/tools"
)

// A lab comes up without ip and bridge, and its remedies fail then: it is not begun, and what brings them is named.
func TestProgramsOfThisMachineAreMissing(t *testing.T) {
	const inside = "NETFAULT_TEST_WITHOUT_PROGRAMS"
	if os.Getenv(inside) != "" {
		_, err := findPrograms(tools.DefaultFlannel)
		for _, want := range []string{"ip, bridge: not installed", "apt-get install iproute2`"} {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%v; want %q", err, want)
			}
		}
		return
	}
	if os.Geteuid() != 0 {
		t.Skip("hiding programs takes a mount namespace")
	}
	hide := `for p in /usr/sbin/ip /usr/bin/ip /sbin/ip /bin/ip /usr/sbin/bridge /usr/bin/bridge /sbin/bridge /bin/bridge; do
	[ ! -e $p ] || mount --bind /dev/null $p || exit 1
done
exec "$@"`
	cmd := exec.Command("unshare", "--mount", "sh", "-c", hide, "sh", os.Args[0], "-test.run=^"+t.Name()+"$")
	cmd.Env = append(os.Environ(), inside+"=1")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
