"""Every bound of the gateway, each with its precedent.

Parsers, queues, caches, bodies, header blocks, nesting depths and waits are bounded by a constant of this module and
by nothing else. Sizes are bytes and times are seconds unless the name says otherwise. A deployment changes the few
that are settings (`limits:` in leadglass.yaml); the rest are properties of the design.
"""

from typing import Final

KIB: Final = 1024
MIB: Final = 1024 * KIB

# --- Request head (RFC 9112) ---------------------------------------------------------------------------------------
HEAD_BYTES: Final = 32 * KIB  # nginx large_client_header_buffers 4 x 8 KiB
HEADER_FIELDS: Final = 100  # Apache LimitRequestFields 100
TARGET_BYTES: Final = 8 * KIB  # RFC 9112 section 3 recommends at least 8,000 octets
QUERY_KEYS: Final = 100  # the study service defines 19 required keys; viewers send about 15
FIELDS_KEPT_BYTES: Final = 8 * KIB  # field lines a connection remembers: several of a viewer's, each about 1 KiB
HEAD_SECONDS: Final = 10.0  # Apache RequestReadTimeout header=20; nginx 60 s is the slow-loris default
KEEP_ALIVE_SECONDS: Final = 75.0  # nginx keepalive_timeout
TLS_HANDSHAKE_SECONDS: Final = 5.0
CONTENT_LENGTH_DIGITS: Final = 15
PROXY_HEADER_BYTES: Final = 2 * KIB  # after its first 16; HAProxy sends up to some 500 with all it can say
PROXY_HEADER_SECONDS: Final = (
    3.0  # a proxy sends it at once; HAProxy's documentation asks to wait 3 s for a lost packet
)
FORWARDED_BYTES: Final = 4 * KIB  # one Forwarded line; a hop takes some 60
FORWARDING_HOPS: Final = 16  # trusted proxies in a row; a CDN, an edge and an ingress are 3
TRUSTED_PROXIES: Final = 1_000  # networks
CORS_ORIGINS: Final = 100  # pages of other origins; a hospital has a few viewers
CORS_SECONDS_MAX: Final = 86_400  # Firefox keeps a preflight so long at most, Chromium 7,200
HEAD_FEEDS: Final = 4_096  # pieces one head may come in; HEAD_BYTES in segments of 536 bytes is 62
LINGER_SECONDS: Final = 5.0  # nginx lingering_timeout: a reply is read before its connection is reset
LISTENER_CONNECTIONS: Final = 4_096  # open at once; HAProxy's maxconn is of this order for 8 GiB
SOURCE_CONNECTIONS: Final = 1_024  # of one address; an ingress or a NAT is one address too
BODY_BUFFER_BYTES: Final = 256 * KIB  # request body held before reading pauses

# --- Chunked coding and trailers -----------------------------------------------------------------------------------
CHUNK_EXTENSION_BYTES: Final = 256  # nobody sends any; Go net/http allows 16 KiB over a message
TRAILER_BYTES: Final = 4 * KIB

# --- Bodies --------------------------------------------------------------------------------------------------------
STORE_BYTES: Final = 16 * 1024 * MIB  # one STOW-RS request
STORE_PARTS: Final = 20_000
PART_HEADER_BYTES: Final = 8 * KIB  # headers of one multipart part
BOUNDARY_CHARS: Final = 70  # RFC 2046 section 5.1.1
STORE_HEADER_BYTES: Final = 256 * KIB  # a part's data set up to (0020,000E)
STORE_ELEMENTS: Final = 2_000_000  # and items in one stored instance; an enhanced CT of 10,000 frames has some 600,000
STORE_INFLATED_BYTES: Final = 64 * MIB  # of a deflated data set, which no modality makes
CONTROL_BODY_BYTES: Final = 256 * KIB  # enrolment, renewal, posture
STALL_SECONDS: Final = 30.0  # a client that takes nothing for this long is cut
MINIMUM_RATE: Final = 8 * KIB  # bytes a second a reader must sustain over a stall window
CLIENT_BUFFER_BYTES: Final = 256 * KIB  # unsent bytes above which the upstream is paused
NOTSENT_LOWAT_BYTES: Final = 128 * KIB  # TCP_NOTSENT_LOWAT: what a cut can still leak

# --- DICOMweb (PS3.18) ---------------------------------------------------------------------------------------------
UID_CHARS: Final = 64  # PS3.5 section 9.1
FRAMES_LISTED: Final = 1_000
SEARCH_ROWS: Final = 200  # largest page judged in one evaluation
SEARCH_SCANNED: Final = 2_000  # rows of the archive that one search may look through for a page: ten evaluations
SEARCH_BLUR: Final = 400  # by up to so many fewer, so that where a search stopped does not count what is hidden
SEARCH_SCAN_SECONDS: Final = 10.0  # no further page of the archive is asked for after that; FACTS_TIMEOUT_SECONDS
SEARCH_AGAIN: Final = 20  # rows before the place where a page ended, looked at again: studies may be deleted meanwhile
CURSOR_SECONDS: Final = 60.0  # from one page to the next; people who read on come sooner
CURSORS_EACH: Final = 8  # searches that one person walks through at once; a viewer has one list and its priors
CURSOR_ROWS: Final = 20_000  # of one walk; STUDY_ROWS
CURSOR_ROWS_ALL: Final = 200_000  # of all walks together, about 16 MiB
STUDY_ROWS: Final = 20_000  # a search inside one study: one study is judged, however many rows; the largest CTs
SEARCH_OFFSET: Final = 100_000
QUERY_VALUE_CHARS: Final = 1_024
ACCEPT_BYTES: Final = 1_024  # browsers send about 150, viewers 80
ACCEPT_CACHE: Final = 1_024  # spellings of Accept remembered; viewers use a handful
JUDGED_JSON_BYTES: Final = 64 * MIB  # a JSON reply that is opened to be judged, inflated
STUDIES_JUDGED: Final = 200  # studies named in one question
WORKITEM_BYTES: Final = 1 * MIB  # one workitem; those of scheduled procedures have some 20 KiB
CHANNEL_MESSAGE_BYTES: Final = 64 * KIB  # one event report; they have under 2 KiB
CHANNEL_CONTROL_BYTES: Final = 125  # what a client may send: control frames (RFC 6455 section 5.5)
CHANNEL_PING_SECONDS: Final = 30.0  # silence, before the other side is asked; as long again, before it is given up
CHANNEL_CLOSE_SECONDS: Final = 2.0  # for a client to answer a close; Chromium waits 2 s the other way
NESTING_DEPTH: Final = 32  # JSON and sequence nesting

# --- De-identification (PS3.15 Annex E) ----------------------------------------------------------------------------
DEID_META_BYTES: Final = 64 * KIB  # preamble and file meta; with private information vendors stay below 4 KiB
DEID_META_FORMS: Final = 256  # pairs of SOP class and transfer syntax remembered; an archive has some dozens
DEID_VALUE_BYTES: Final = 16 * MIB  # one value that is read to be replaced; long reports have some 1 MiB
DEID_HELD_BYTES: Final = 16 * MIB  # of what is rewritten, until group 0028 has passed; a CT holds back some 8 KiB
DEID_FRAME_BYTES: Final = 256 * MIB  # one encapsulated frame that is to be masked; a 16-bit mammogram has 30 MiB
DEID_AHEAD_BYTES: Final = 4 * MIB  # made before what it shows is written down: eight slices of a CT in one transaction
DEID_INFLATED_BYTES: Final = 64 * MIB  # of a deflated data set, as where one is stored
DEID_TABLE_BYTES: Final = 8 * MIB  # a table of the offsets of frames: 4 bytes each
CHARACTER_SETS: Final = 256  # spellings remembered; archives have a dozen
DEID_REMEMBERED: Final = 8_192  # elements made for one patient; a study of 2,000 slices makes some 6,000
DEID_SEQUENCES: Final = 1_024  # sequences made for one patient, whole; an instance has some 20
DEID_SEQUENCE_BYTES: Final = KIB  # one of these
DEID_REMEMBERED_BYTES: Final = 96  # one of these; a UID with its head has at most 72

# --- Identity ------------------------------------------------------------------------------------------------------
TOKEN_BYTES: Final = 16 * KIB
TOKEN_LEEWAY_SECONDS: Final = 30
TOKEN_CACHE: Final = 10_000
JWKS_BYTES: Final = 512 * KIB
JWKS_KEYS: Final = 100
KEY_ID_CHARS: Final = 256  # a thumbprint has 43; Entra ID and Keycloak stay below
ISSUER_CHARS: Final = 1_024  # an https URL (OpenID Connect Discovery section 3); those of clouds stay below 200
SUBJECT_ID_CHARS: Final = 256  # RFC 7613 leaves it open; Entra ID allows 113 in a user principal name
SUBJECT_VALUES: Final = 1_000  # roles, groups or sites; Entra ID stops listing groups at 200
JWKS_REFRESH_SECONDS: Final = 10.0  # at most one refresh for an unknown kid in this time
JWKS_KEEP_SECONDS: Final = 24 * 3600  # keys kept while the identity provider is down
JWKS_TIMEOUT_SECONDS: Final = 5.0
JWKS_START_SECONDS: Final = 2.0  # how long a start waits for issuers; readiness never depends on them
CLOCK_OFF_SECONDS: Final = 5.0  # Kerberos bears 300; tokens are given 30, and the record should be right to seconds
CLOCK_SOURCES: Final = 64  # as many as issuers
CLOCK_WORD_SECONDS: Final = 4 * 3600.0  # a quartz that is off by 100 ppm drifts 1.4 s in this time
JWKS_PERIOD_SECONDS: Final = 300.0  # Envoy jwt_authn cache_duration: a withdrawn key is noticed within this time
GEO_BYTES: Final = 512 * MIB  # a geo database, held in memory; GeoLite2-City has 60 MB, GeoIP2 City 130, DB-IP City 150
CITY_CHARS: Final = 100  # the longest name of a place on maps has 85 letters
FILE_WATCH_SECONDS: Final = 2.0  # how often a key or facts file is looked at for a change
OPAQUE_TOKEN_BYTES: Final = 4 * KIB  # Keycloak and Okta stay below 2 KiB
INTROSPECTIONS: Final = 64  # at once; a person who is refused for it asks again
STRANGERS_WAITING: Final = 32  # of one source for an issuer's word on their tokens: half of INTROSPECTIONS
INTROSPECTION_SECONDS: Final = 3.0  # a person waits for it
INTROSPECTION_BYTES: Final = 64 * KIB  # one reply; the claims of a token of TOKEN_BYTES, and room
SERVICE_CAS: Final = 16  # CAs that sign certificates of services
SERVICE_CERTIFICATES: Final = 10_000  # judgements remembered; a hospital group has some 2,000 modalities
SERVICE_RULES: Final = 1_000
CRL_BYTES: Final = 16 * MIB  # some 400,000 serials
DPOP_BYTES: Final = 4 * KIB  # a proof with an RSA-8192 key has 3.2 KiB, one with P-256 has 0.6
DPOP_SECONDS: Final = 60  # that the time of a proof may be off, either way; RFC 9449 section 11.1: seconds or minutes
DPOP_JTI_CHARS: Final = 256  # a UUID has 36
DPOP_NONCE_SECONDS: Final = 300  # a client asks for a new one with one refused request
DPOP_HEADS: Final = 10_000  # keys remembered with their proof header, as many as tokens
DPOP_HELD: Final = 400_000  # proofs remembered in one generation of 2 x DPOP_SECONDS, about 40 MiB
DPOP_HELD_BY_ONE: Final = 130_000  # of one subject: per_subject 1000/s for that time, and a third of all at most
SESSIONS_HELD: Final = 50_000  # all are in memory, about 2 KiB each
SESSIONS_PER_PERSON: Final = 32  # the oldest ends; Okta and Keycloak set none, a person has a few browsers
SESSION_TICK_SECONDS: Final = 1.0  # grain of the idle and absolute limits
SESSION_RENEW_SECONDS: Final = 60.0  # before the tokens behind a session end, while it is in use
SESSION_RENEWALS: Final = 16  # at once
SESSION_WRITE_SECONDS: Final = 60.0  # between two writes of when sessions were used last
SIGN_IN_SECONDS: Final = 600  # from the sign-in page to the callback; Keycloak gives 5 min, and people look for phones
SIGN_INS_SPENT: Final = 100_000  # remembered until they would have expired anyway
PROVIDER_SECONDS: Final = 8.0  # one request to an identity provider; a person waits for up to three
PROVIDER_REPLY_BYTES: Final = 256 * KIB
PROVIDER_METADATA_SECONDS: Final = 300.0
LOGOUT_TOKENS_SPENT: Final = 100_000
ENDS_HEARD: Final = 1_000  # what issuers ended last, for sign-ins that are under way
REFUSALS_KEPT: Final = 500  # refusals that can be explained to the person, about 3 KiB each
REFUSALS_KEPT_BYTES: Final = 64 * KIB  # the judged input of one; a page of 200 studies is larger and is not kept
REFUSALS_KEPT_SECONDS: Final = 1800.0
EMERGENCY_SECONDS: Final = 4 * 3600  # that one emergency code opens; half a shift
EMERGENCY_CODES_HELD: Final = 1_000  # that have not ended; an envelope in each department
EMERGENCY_CODES_MADE: Final = 100  # at once
EMERGENCY_CODE_DAYS: Final = 400  # at most; envelopes are renewed once a year
EMERGENCY_NAME_CHARS: Final = 64  # PN has 64 a component (PS3.5 section 6.2)
EMERGENCY_CODE_TRIES: Final = 5  # wrong ones of one code; as for enrolment codes
EMERGENCY_SOURCE_TRIES: Final = 20  # wrong ones of one source, which may be a whole hospital behind one address,
EMERGENCY_SOURCE_SECONDS: Final = 900.0  # in this time
LOGOUT_TOKEN_SECONDS: Final = 300  # oldest `iat` taken; OpenID Connect Back-Channel Logout 1.0 leaves it open
SIGNAL_SECONDS: Final = 24 * 3600  # oldest security event taken; a transmitter may be cut off for a night
SIGNALS_SEEN: Final = (
    200_000  # their `jti`, for SIGNAL_SECONDS, of each transmitter; when there are more, its new ones have to wait
)
SIGNALS_HELD: Final = 50_000  # what each transmitter says of people and devices, as many as devices
SIGNAL_KEEP_SECONDS: Final = 30 * 24 * 3600  # how long an end is kept: longer than any access token lives
SIGNAL_NAMES: Final = 16  # aliases of one subject
SIGNAL_CLAIMS: Final = 32  # changed claims in one event
TRANSMITTERS: Final = 8  # for the people of one issuer
OUTLIVE_SECONDS_MAX: Final = 4 * 3600  # how far a running reply may outlive its token; a study over a modem

# --- Devices -------------------------------------------------------------------------------------------------------
ENROLMENT_CODE_SECONDS: Final = 15 * 60
ENROLMENT_CODE_TRIES: Final = 5
DEVICE_CERTIFICATE_SECONDS: Final = 3600
CERTIFICATE_BACKDATE_SECONDS: Final = 60  # device clocks that run behind; step-ca backdates 60 s
CERTIFICATES_ACTIVE: Final = 16  # of one device: run, proxy and report each hold one and renew every half hour
CERTIFICATE_BYTES: Final = 16 * KIB  # one client certificate in DER; ours have under 600 bytes
STATEMENT_BYTES: Final = 64 * KIB
STATEMENT_LEEWAY_SECONDS: Final = 150  # Kolide's challenge window; the nonce is what makes a statement fresh
STATEMENT_CHECKS: Final = 64
STATEMENT_TEXT_CHARS: Final = 256
STATEMENT_LIST: Final = 64
STATEMENT_MEMBERS: Final = 32
BOOT_LEEWAY_SECONDS: Final = 30.0
NONCE_SECONDS: Final = 120
DEVICE_PROOF_RENEW_SECONDS: Final = 240  # browsers let the timers of hidden tabs run once a minute: 300 at the latest
DEVICE_PROOF_SECONDS: Final = 330  # the five minutes, and half a minute for a proof to fail and be tried again
REVOCATIONS_HELD: Final = 10_000
NONCES_OF_ONE: Final = 100  # of these by one session, which needs one in DEVICE_PROOF_RENEW_SECONDS for each open page
NONCES_HELD: Final = 100_000  # spent ones only, remembered until they would have expired anyway
DEVICES_HELD: Final = 50_000  # all are in memory; a large hospital group has some 20,000 workstations
CODES_OPEN: Final = 1_000  # enrolment codes that are still good
ENROLMENT_REQUEST_BYTES: Final = 8 * KIB

# --- Attributes ----------------------------------------------------------------------------------------------------
FACTS_SECONDS: Final = 30.0  # modalities add series over DIMSE behind our back
FACTS_CACHE: Final = 20_000
FACTS_TIMEOUT_SECONDS: Final = 10.0
SERIES_PER_STUDY: Final = 2_000
FACT_TEXT_CHARS: Final = 1_024  # of one value; LO has 64, and a long one must not tire the policy for a whole page
FACTS_RECHECK_SECONDS: Final = 2.0  # a series or instance that seems foreign is looked up anew at most this often
PICTURES_SECONDS: Final = 300.0  # what kind of picture an instance is: it stays what it is under its UID
PICTURES_HELD: Final = 200_000  # instances over all series held for research views, about 100 MiB
PEOPLE_HELD: Final = 5_000  # studies whose people are held for research views
INSTANCES_LISTED: Final = 50_000  # of one series; multi-slice CT stays below 10,000
INSTANCES_HELD: Final = 500_000  # SOP Instance UIDs over all listings held, about 60 MiB
FACTS_FILE_BYTES: Final = 16 * MIB  # a diagnosis list in JSON, of some 250,000 patients
FACTS_YAML_BYTES: Final = 512 * KIB  # the same in YAML, which is read at about 100 KiB a second
NETWORKS_NAMED: Final = 10_000
CLIENT_ADDRESSES: Final = 10_000  # addresses whose networks are remembered
BREAK_GLASS_CHARS: Final = 256

# --- Policy --------------------------------------------------------------------------------------------------------
WASM_MEMORY_BYTES: Final = 64 * MIB
WASM_FUEL: Final = 50_000_000  # about 24 ms
OPA_SECONDS: Final = 0.05
OPA_PROGRAM_SECONDS: Final = 120.0  # one run of the opa program in `leadglass policy build`
LEASES_HELD: Final = 50_000
EPOCHS_HELD: Final = 100_000  # names that have moved: sessions, devices, people; some 10 MB
DIGESTS_HELD: Final = 4_096  # lease keys remembered: people at work times the studies they have open
LEASE_SECONDS_MAX: Final = 300
INPUT_BYTES: Final = 4 * MIB
TABLE_BYTES: Final = 4 * MIB
POLICY_FILES: Final = 5_000
POLICY_NESTING: Final = 64  # Rego values handed to a host builtin
CASES_HELD: Final = 10_000
EXPLAIN_EVALUATIONS: Final = (
    5_000  # before the search for the smallest change ends with pairs; half a second for one study
)
EXPLAIN_ROWS: Final = 20  # studies of a page whose facts are looked at one by one
EXPLAIN_SHOWN: Final = 5  # changes of the same size that are named
REPLAY_GROUPS: Final = 1_000  # kinds of change that are told apart; what is beyond is counted
REPLAY_PEOPLE: Final = 1_000  # of one kind of change
REPLAY_EXAMPLES: Final = 3

# --- Upstream ------------------------------------------------------------------------------------------------------
UPSTREAM_CONNECTIONS: Final = 24  # half of Orthanc's 50 HTTP threads, so that its own users are served too
UPSTREAM_CONNECTIONS_MIN: Final = 4  # one each for facts, a frame, a search, a study
UPSTREAM_CONNECTIONS_MAX: Final = 2048  # each holds two descriptors with its client; systemd gives a service 524,288
UPSTREAM_FACTS_RESERVE: Final = 4  # connections kept for facts, so that bulk cannot starve decisions
UPSTREAM_KEEP_SECONDS: Final = 60.0  # an idle connection older than this is not used again; nginx keepalive_timeout 60s
UPSTREAM_BUFFER_BYTES: Final = 256 * KIB  # of a reply that is taken piece by piece; then reading pauses
UPSTREAM_READ_BYTES: Final = 256 * KIB  # at once; what uvloop reads at once, and less than a core's cache
UPSTREAM_COPIED_BYTES: Final = 128 * KIB  # and less are copied: held on its own, each would keep all of the above
UPSTREAM_START_BYTES: Final = 32 * KIB  # at once while a head is awaited: what follows it is copied
UPSTREAM_TAIL_BYTES: Final = 512  # kept of a reply without length, to see its closing delimiter
ASSERTION_SECONDS: Final = 30  # from being signed to being read by the archive; RFC 7523 asks for a short time
ASSERTION_KEPT_SECONDS: Final = (
    90  # a key is published after it last signed: the above, and an archive's clock behind ours
)
ASSERTION_ANNOUNCED_SECONDS: Final = 600  # before it first signs; archives are asked to fetch jwks.json every 5 minutes
UPSTREAM_SWEEP_SECONDS: Final = 1.0  # grain of the two waits below
UPSTREAM_RETRY_AFTER_SECONDS: Final = 5
FACTS_BYTES: Final = 8 * MIB  # one facts reply, inflated
PICTURES_BYTES: Final = 64 * MIB  # likewise of all instances of a study, for a research view
FACTS_PARALLEL: Final = 4  # facts asked one by one of archives that take no UID lists
UPSTREAM_CONNECT_SECONDS: Final = 5.0
UPSTREAM_HEAD_SECONDS: Final = 120.0  # Orthanc assembles a large series before its first byte
UPSTREAM_IDLE_SECONDS: Final = 60.0  # between two body chunks
UPSTREAM_HEAD_BYTES: Final = 64 * KIB
UPSTREAM_INTERIM: Final = 8  # 1xx replies before the final one
UPSTREAM_PER_SUBJECT: Final = 8
LINK_BYTES: Final = 8 * KIB  # one link of an archive; as long as a request target may be
LINK_ATTRIBUTE_BYTES: Final = 16 * KIB  # an attribute that holds a link, as JSON; or a tag in XML
LINK_BLANKS: Final = 256  # between a name in JSON and its value; printers that indent put in one or a line end
LINK_BASES: Final = 8  # addresses of one archive in its links
LINK_HOSTS: Final = 100  # foreign hosts named in the log, of one archive; more are counted
UPSTREAM_CHANNELS: Final = 200  # event channels open to one archive; each is one thread of many a Java server
UPSTREAM_CHANNELS_PER_SUBJECT: Final = 8  # a person has a few windows
UPSTREAM_QUEUE: Final = 2_000
UPSTREAM_QUEUE_SECONDS: Final = 30.0

# --- Control side ---------------------------------------------------------------------------------------------------
CONTROL_SECONDS: Final = 30.0  # one relayed control request; a sign-in asks its issuer up to three times
CONTROL_REPLY_BYTES: Final = 256 * KIB
CONTROL_CONNECTIONS: Final = (
    32  # from the door to the public control side, for what waits for an issuer and for the rest, each
)
ADMIN_SECONDS: Final = 60.0  # a reload parses, tests and compiles a policy set
BACKUP_PAUSE_SECONDS: Final = 0.002  # left to the gateway between two steps of a copy
BACKUP_FLUSH_BYTES: Final = MIB  # put on disk at once, so that no fsync of the record waits behind more
BACKUP_READ_BYTES: Final = 256 * KIB  # read and sealed at once
STORE_COPY_PAGES: Final = 256  # of 4 KiB, copied before others have their turn: about a millisecond
STORE_BUSY_SECONDS: Final = 5.0  # sqlite busy_timeout; Python's sqlite3 waits 5 s by default too

# --- Archives ---------------------------------------------------------------------------------------------------------
UPSTREAMS: Final = 16  # behind one gateway: a site has a PACS, a VNA and a few more

PROBE_SECONDS: Final = 10.0  # one answer to `config check`; that of a busy archive to a viewer comes sooner
PROBE_ERROR_BYTES: Final = 64 * KIB  # what is looked at of an error; Orthanc writes 300 bytes, dcm4chee a stack trace

# --- Static mounts ---------------------------------------------------------------------------------------------------
STATIC_MOUNTS: Final = 8
STATIC_FILES: Final = 20_000  # of one mount; OHIF has 230
STATIC_DEPTH: Final = 16  # folders in folders
STATIC_INDEX_BYTES: Final = 1 * MIB  # index.html and the like, which are kept; OHIF's has 5 KiB
STATIC_WHOLE_BYTES: Final = 64 * KIB  # read in one go; larger files are streamed
STATIC_CHUNK_BYTES: Final = 256 * KIB

# --- Obligations ---------------------------------------------------------------------------------------------------
GUARD_STEP_BYTES: Final = 4 * KIB  # a header reader is fed in steps: most headers end within the first
WALK_STEP_BYTES: Final = 16 * KIB  # a stored part is walked in steps; 16 KiB of empty items take some 2 ms
WALK_STEP_ELEMENTS: Final = 2_000  # after which others get their turn
RETRIEVED_PARTS: Final = 100_000  # instances of one retrieved study
COMPRESS_MIN_BYTES: Final = 1_400  # below one TCP segment gzip saves nothing
COMPRESS_LEVEL: Final = 1  # rows repeat themselves: the fastest level does nearly as well as the best
OFFLOAD_BYTES: Final = 256 * KIB  # larger bodies are compressed in a thread: zlib lets the loop run meanwhile

# --- Pixels --------------------------------------------------------------------------------------------------------
APART_PROCESSES: Final = 2  # of decoders; each with numpy takes some 60 MB
APART_SECONDS: Final = 20.0  # one frame; a mammogram of JPEG 2000 takes some 4
APART_BYTES: Final = 4096 * MIB  # of address space; numpy's threads reserve much that they never touch
MASK_FILE_BYTES: Final = MIB  # CTP's script of masks, grown over years, has 100 kB
MASKS: Final = 2_000
MASK_REGIONS: Final = 100  # of one device; CTP's have at most a dozen
PIXEL_SIDE: Final = 65_535  # Rows and Columns are 16 bit
PIXEL_FRAMES: Final = 1_000_000  # of one instance; enhanced CT have some thousand
PIXEL_FRAME_BYTES: Final = 256 * MIB  # one frame opened; a mammogram has 30 MiB
PIXEL_WALKED: Final = 40_000_000  # samples of one JPEG, which is read code by code: a million takes some 0.6 s
PIXEL_TILES: Final = 65_535  # ISO/IEC 15444-1 annex A.4.2
PICTURE_BYTES: Final = 64 * MIB  # a rendered picture that is opened to be painted
PICTURE_PIXELS: Final = 40_000_000  # a mammogram has 20 million; opened in colour that makes 120 MB
PIXEL_THREADS: Final = 4  # that wait for the processes of decoders; others wait in turn
WATERMARK_CHARS: Final = 64  # of each thing that a watermark says

# --- Projects ------------------------------------------------------------------------------------------------------
PROJECTS: Final = 1_000  # open or closed; a university hospital has some hundred registered studies at a time
PROJECT_TITLE_CHARS: Final = 256
REIDENTIFY_HELD: Final = 20  # questions that wait for a person
REIDENTIFY_SECONDS: Final = 600.0  # that one waits; a sign-in may take as long
REIDENTIFY_SIGN_IN_SECONDS: Final = 600.0  # oldest sign-in of who confirms; as for breaking the glass
PSEUDONYMS_REMEMBERED: Final = 100_000  # of all projects, some 400 bytes each; a CT of 600 slices has some 610
PSEUDONYMS_OF_ONE: Final = 20_000  # in one reply, then forgotten and made again; as STUDY_ROWS
PSEUDONYMS_UNKNOWN: Final = 10_000  # UIDs that were asked for, look like pseudonyms and are none
PSEUDONYMS_AT_ONCE: Final = 500  # sealed and written before others have their turn, some 3 ms

# --- Record --------------------------------------------------------------------------------------------------------
RECORD_LINE_BYTES: Final = 4 * MIB
RECORD_VALUES: Final = 200  # studies and patients listed in one completion; a digest stands for more
RECORD_ROTATE_BYTES: Final = 256 * MIB  # some 700,000 lines
RECORD_ROTATE_MIN: Final = 64 * KIB
RECORD_SYNC_SECONDS: Final = 0.1  # between two fsyncs of grouped durability
RECORD_HEAD_SECONDS: Final = 10.0  # between two signed heads
RECORD_TICK_SECONDS: Final = 1.0  # grain of probes, watermarks and sums
RECORD_UNSYNCED_BYTES: Final = (
    64 * MIB
)  # written and not yet on disk; kept in memory, since a failed fsync may lose them
RECORD_RESERVE_BYTES: Final = 64 * MIB  # the last of the disk is for treatment
RECORD_WARN_SHARE: Final = 0.80  # Elasticsearch's low watermark is 85 %, of disks that hold much else
RECORD_CRITICAL_SHARE: Final = 0.95  # Elasticsearch's flood stage
RECORD_PENDING: Final = 1_000  # completions kept while the record cannot be written
RECORD_TEXT_CHARS: Final = 512  # of one string that an unidentified client chose
COMPLETION_SECONDS: Final = 5.0  # an exchange that took longer has a completion of its own
ANONYMOUS_PER_MINUTE: Final = 20
ANONYMOUS_SOURCES: Final = 1_000  # counted apart; the rest are counted together
ANONYMOUS_LISTED: Final = 50  # sources named in one summary
METRIC_SERIES: Final = 500  # label sets of one metric
SINKS: Final = 8
POST_REPLY_BYTES: Final = 16 * KIB  # of the answer to a post, which says little
SINK_SECONDS: Final = 30.0  # one batch, from connect to status
SINK_POLL_SECONDS: Final = 0.5
SINK_LAG_BYTES: Final = 1024 * MIB  # a receiver this far behind is named in the log
SINK_BATCH_BYTES: Final = 256 * KIB
SINK_BATCH_LINES: Final = 1_000
SINK_BACKOFF_SECONDS: Final = 60.0
TRACE_SPANS: Final = (
    128  # of one exchange, besides its stages; OpenTelemetry's SDKs allow 128 events and links of a span
)
TRACE_QUEUE_SPANS: Final = 2_048  # OTEL_BSP_MAX_QUEUE_SIZE
TRACE_QUEUE_BYTES: Final = 4 * MIB  # a span has some 500 bytes
TRACE_BATCH_SPANS: Final = 512  # OTEL_BSP_MAX_EXPORT_BATCH_SIZE
TRACE_BATCH_BYTES: Final = MIB  # before gzip; collectors take 20 MiB
TRACE_WAIT_SECONDS: Final = 5.0  # OTEL_BSP_SCHEDULE_DELAY
TRACE_POST_SECONDS: Final = 10.0  # OTEL_EXPORTER_OTLP_TIMEOUT
TRACE_RETRY_SECONDS: Final = 60.0  # for one batch, then it is given up; OpenTelemetry's SDKs take about as long
TRACE_BACKOFF_SECONDS: Final = 30.0
TRACE_FLUSH_SECONDS: Final = 5.0  # what a stop waits for the collector; Kubernetes kills 30 s after it asked
TRACE_LABELS: Final = 16  # header fields for the collector, and attributes of the gateway
NOTICE_AGAIN_SECONDS: Final = 3600.0  # before the same person and reason are told of once more
NOTICE_OLD_SECONDS: Final = 24 * 3600.0  # what is older is for the review list, not for a notice
NOTICE_CASES: Final = 1_000  # persons and reasons remembered
NOTICE_LISTED: Final = 20  # in one notice; more are counted
NOTICE_RECIPIENTS: Final = 20
DRAIN_SECONDS: Final = 30.0

# --- Introduction --------------------------------------------------------------------------------------------------
OBSERVE_SECONDS: Final = 30 * 86_400.0  # SELinux knows no bound, and hosts stay permissive for years: here it ends
OBSERVE_REMIND_SECONDS: Final = 3_600.0  # how often the log says so
VIEWER_CHARS: Final = 200  # of a User-Agent in the record; those of browsers take 70 to 150
READINESS_NAMES: Final = 10_000  # people and viewers each told apart in one report; beyond it they are summed
READINESS_EACH: Final = 20  # viewers and devices kept with one of them; a person has few
ORTHANC_CONFIG_BYTES: Final = MIB  # of one configuration file of Orthanc; Debian's, all comments, has 38 kB
ORTHANC_CONFIG_FILES: Final = 100  # in one folder; Debian has six

# --- De-identification ---------------------------------------------------------------------------------------------
DEID_PROFILES: Final = 200  # in a site's folder; a site has a handful
DEID_PROFILE_BYTES: Final = 256 * KIB  # the whole table written out as overrides has some 30 KiB
DEID_TEXT_BYTES: Final = 64 * MIB  # a data set in XML, which is held whole; JUDGED_JSON_BYTES is that of JSON
DATE_SHIFT_DAYS: Final = 3_650  # largest a profile may name; ranges of a search are widened by it
DEID_KNOWN_CHARS: Final = 4 * KIB  # of names, numbers and places of one study; they have some 300
DEID_CLEANED_CHARS: Final = 64 * KIB  # of one text that is cleaned; LT holds 10,240, and longer ones are dropped
