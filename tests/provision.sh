#!/bin/sh
# Bring in the real parts that the system tests (and with --bench, the bench) run against.
#
# Debian and root: packages are installed. Elsewhere: what is missing is named, and the tests that need it say so.
# OPA and Helm are built with Go into .tools/bin, Keycloak is unpacked into .tools/keycloak, axe-core and OHIF from npm into
# .tools/npm, at the versions the tests expect. Nothing of what npm brings is run but by the browser.
set -eu
cd "$(dirname "$0")/.."

OPA=github.com/open-policy-agent/opa@v1.22.2
HELM=helm.sh/helm/v3/cmd/helm@v3.22.0
KEYCLOAK=org.keycloak:keycloak-quarkus-dist:26.0.7:zip
AXE=axe-core@4.14.1
OHIF=@ohif/app@3.12.10
bench=no
[ "${1:-}" = --bench ] && bench=yes

have() { command -v "$1" >/dev/null 2>&1; }
say() { printf 'provision: %s\n' "$*"; }

packages=""
have Orthanc || [ -x /usr/sbin/Orthanc ] || packages="$packages orthanc"
ls /usr/share/orthanc/plugins/libOrthancDicomWeb.so* >/dev/null 2>&1 || packages="$packages orthanc-dicomweb"
[ -e /usr/share/orthanc/plugins/libOrthancPython.so ] || packages="$packages orthanc-python"
/usr/bin/python3 -c "import cryptography, jwt" 2>/dev/null || packages="$packages python3-cryptography python3-jwt"
have storescu || packages="$packages dcmtk"
have dciodvfy || packages="$packages dicom3tools"
have chromium || packages="$packages chromium fonts-dejavu-core"
have nginx || [ -x /usr/sbin/nginx ] || packages="$packages nginx-light"
[ -e /usr/lib/nginx/modules/ngx_stream_js_module.so ] || packages="$packages libnginx-mod-stream libnginx-mod-stream-js"
have haproxy || [ -x /usr/sbin/haproxy ] || packages="$packages haproxy"
have caddy || packages="$packages caddy"
have py3compile || packages="$packages python3"
if [ "$bench" = yes ]; then
    have wrk || packages="$packages wrk"
fi

if [ -n "$packages" ]; then
    if [ "$(id -u)" = 0 ] && [ -e /etc/debian_version ]; then
        say "installing$packages"
        apt-get update -qq
        # Debian starts services on installation; the tests start their own and leave yours alone.
        [ -e /usr/sbin/policy-rc.d ] || {
            printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d
            chmod +x /usr/sbin/policy-rc.d
            trap 'rm -f /usr/sbin/policy-rc.d' EXIT
        }
        # shellcheck disable=SC2086 # a list of names
        DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $packages >/dev/null
    else
        say "please install (Debian names):$packages"
    fi
fi

mkdir -p .tools/bin
for module in "$OPA" "$HELM"; do
    name=$(basename "${module%@*}")
    if [ ! -x ".tools/bin/$name" ]; then
        if have go; then
            say "building $name (a few minutes, once)"
            GOBIN="$PWD/.tools/bin" go install "$module"
        else
            say "please install Go 1.26 or newer; $name is built with it"
        fi
    fi
done

if [ ! -x .tools/keycloak/bin/kc.sh ]; then
    if have mvn && have java; then
        say "fetching Keycloak (150 MB, once)"
        mvn -q -B org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy \
            "-Dartifact=$KEYCLOAK" -DoutputDirectory=.tools >/dev/null
        rm -rf .tools/keycloak .tools/keycloak-26*/
        "${PYTHON:-python3}" -m zipfile -e .tools/keycloak-quarkus-dist-*.zip .tools
        rm .tools/keycloak-quarkus-dist-*.zip
        mv .tools/keycloak-26*/ .tools/keycloak
        chmod +x .tools/keycloak/bin/kc.sh
    else
        say "please install Java 17 and Maven; Keycloak is fetched with them"
    fi
fi

unpack() { # what npm calls it, and the folder under .tools/npm
    [ -d ".tools/npm/$2" ] && return
    if ! have npm; then
        say "please install Node.js 20 or newer with npm; $2 is fetched with it"
        return
    fi
    say "fetching $1"
    mkdir -p .tools/npm
    fresh=$(mktemp -d .tools/npm/fetch.XXXXXX)
    (cd "$fresh" && npm pack --silent "$1" >/dev/null && tar xzf ./*.tgz)
    mv "$fresh/package" ".tools/npm/$2"
    rm -r "$fresh"
}
unpack "$AXE" axe-core
unpack "$OHIF" ohif
