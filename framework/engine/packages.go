package engine

// PodmanPackages are the Debian packages that bring Podman as kind clusters need it, to be installed without
// recommended ones: those would bring a second network backend and a runtime that refuses mixed control groups.
func PodmanPackages() []string { return []string{"podman", "runc", "netavark", "aardvark-dns"} }

// ModulesDir must exist, since kind mounts it into its nodes and Podman refuses to mount what is not there. Kernels
// without modules come without it.
const ModulesDir = "/lib/modules"
