#!/bin/sh
# Builds the images `gateway` and `agent` with what is here: buildah, podman or docker (or ENGINE=...), and starts each once.
#
#   BASE=registry.example.org/python:3.13-slim@sha256:...   another base
#   CA=/etc/ssl/certs/site.pem                              who signs, where the network opens TLS on the way to the package index
#   PIP_INDEX_URL=https://pypi.example.org/simple           another package index
#   REPOSITORY=registry.example.org/imaging/                before the names, for a push
#   SOURCE_DATE_EPOCH=...                                   the time that everything bears; that of the last commit when left out
set -eu
cd "$(dirname "$0")/.."

version=$(sed -n 's/^__version__ = "\(.*\)"$/\1/p' agent/leadglass_agent/__init__.py)
engine=${ENGINE:-}
for one in buildah podman docker; do
    [ -n "$engine" ] || { command -v "$one" >/dev/null 2>&1 && engine=$one; } || true
done
[ -n "$engine" ] || {
    echo "images: install buildah, podman or docker" >&2
    exit 1
}
: "${SOURCE_DATE_EPOCH:=$(git log -1 --format=%ct)}"
export SOURCE_DATE_EPOCH

# buildah can work without a daemon, user namespaces or a mount of its own; ISOLATION=chroot and STORAGE_DRIVER=vfs are its words for that.
build() {
    case "$engine" in
        buildah) buildah build --format docker --isolation "${ISOLATION:-chroot}" --timestamp "$SOURCE_DATE_EPOCH" "$@" . ;;
        podman) podman build --format docker --timestamp "$SOURCE_DATE_EPOCH" "$@" . ;;
        *) "$engine" build "$@" . ;;
    esac
}

# Run a program in it, as its user.
inside() {
    image=$1 program=$2
    shift 2
    case "$engine" in
        buildah)
            container=$(buildah from --pull-never "$image")
            buildah run --isolation "${ISOLATION:-chroot}" "$container" -- "/opt/leadglass/bin/$program" "$@" || true
            buildah rm "$container" >/dev/null
            ;;
        *)
            "$engine" run --rm --read-only --cap-drop ALL --security-opt no-new-privileges --network none \
                --entrypoint "/opt/leadglass/bin/$program" "$image" "$@" || true
            ;;
    esac
}

# What has to be so in each: it starts, not as root, it lists what it is made of, and nothing can be installed into it.
CHECK='
import importlib.util, json, os
about = json.load(open("/opt/leadglass/share/sbom.cdx.json"))["metadata"]["component"]
print(os.getuid(), about["name"], about["version"], importlib.util.find_spec("pip"), os.access("/opt/leadglass", os.W_OK))'
try() {
    said=$(inside "$1" "$2" --version)
    found=$(inside "$1" python -c "$CHECK")
    [ "$said" = "$2 $version" ] && [ "$found" = "65532 $2 $version None False" ] || {
        echo "images: $1 is not as it should be: $said; $found" >&2
        exit 1
    }
}

for target in gateway agent; do
    name=leadglass
    [ "$target" = gateway ] || name=leadglass-agent
    tag="${REPOSITORY:-}$name:$version"
    build --target "$target" --build-arg "SOURCE_DATE_EPOCH=$SOURCE_DATE_EPOCH" ${BASE:+--build-arg "BASE=$BASE"} \
        ${CA:+--secret "id=ca,src=$CA" --build-arg PIP_CERT=/run/ca.pem} \
        ${PIP_INDEX_URL:+--build-arg "PIP_INDEX_URL=$PIP_INDEX_URL"} --tag "$tag"
    try "$tag" "$name"
    echo "$tag"
done
