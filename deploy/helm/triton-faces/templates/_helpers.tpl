{{/* What never changes of a release's server: a Deployment's selector cannot be changed. */}}
{{- define "faces.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: server
{{- end }}

{{/* The same of the page's pods. */}}
{{- define "faces.pageSelector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: page
{{- end }}

{{/* Options of `faces page`. Without keys the NetworkPolicy says who may ask, and no name that was made to point here
will do: a browser may reach it by port-forward. */}}
{{- define "faces.pageOptions" -}}
{{- $words := list }}
{{- $hosts := .Values.page.hosts }}
{{- if not .Values.page.keys.secretName }}
{{- $words = append $words "--without-keys" }}
{{- $name := print .Release.Name "-page" }}
{{- range list "" (print "." .Release.Namespace) (print "." .Release.Namespace ".svc") (print "." .Release.Namespace ".svc.cluster.local") }}
{{- $hosts = append $hosts (print $name .) }}
{{- end }}
{{- end }}
{{- if .Values.gallery.secretName }}{{ $words = append $words "--served" }}{{ end }}
{{- range $hosts }}{{ $words = append $words (print "--allow-host=" .) }}{{ end }}
{{- join " " (concat $words .Values.page.options) }}
{{- end }}

{{/* Of every object; `faces.selector` stands beside them where a server is meant. */}}
{{- define "faces.labels" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end }}

{{/* (list root target): the image of a target of the Dockerfile. */}}
{{- define "faces.image" -}}
{{- $root := index . 0 -}}
{{ $root.Values.image.registry }}/triton-faces-{{ index . 1 }}:{{ $root.Values.image.tag | default $root.Chart.AppVersion }}
{{- end }}

{{/* Who the images run as (Dockerfile); "restricted" of the Pod Security Standards asks for the rest. */}}
{{- define "faces.podSecurity" -}}
runAsNonRoot: true
runAsUser: 1000
runAsGroup: 1000
# Volumes and Secrets are of this group.
fsGroup: 1000
fsGroupChangePolicy: OnRootMismatch
seccompProfile: { type: RuntimeDefault }
{{- end }}

{{- define "faces.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: { drop: [ALL] }
{{- end }}

{{/* Whether the exporter fetches weights of FaceNet; true or empty. */}}
{{- define "faces.downloads" -}}
{{- if and (not .Values.models.existingClaim) (has .Values.models.facenet (list "vggface2" "casia-webface")) }}true{{ end }}
{{- end }}

{{/* What a schema cannot say: values that do not go together. */}}
{{- define "faces.check" -}}
{{- with .Values }}
{{- if and .tls.clientAuthoritySecretName (not .tls.secretName) }}
{{- fail "tls.clientAuthoritySecretName needs tls.secretName: without a certificate gRPC is not encrypted" }}
{{- end }}
{{- if and (eq .profile "gpu") (not (dig "limits" "nvidia.com/gpu" "" .resources)) }}
{{- fail "profile gpu needs resources.limits with nvidia.com/gpu: take values-gpu.yaml along" }}
{{- end }}
{{- if and (eq .profile "gpu") .server.options }}
{{- fail "server.options are those of `faces serve`, which profile gpu does not run: leave them empty" }}
{{- end }}
{{- if and .gallery.secretName (not .models.existingClaim) (eq .models.facenet "none") }}
{{- fail "gallery.secretName needs FaceNet: models.facenet, or a claim with it" }}
{{- end }}
{{- if .page.enabled }}
{{- if and .tls.secretName (not .page.tls.authoritySecretName) }}
{{- fail "page.enabled with tls.secretName needs page.tls.authoritySecretName: who vouches for the servers" }}
{{- end }}
{{- if and .tls.clientAuthoritySecretName (not .page.tls.certificateSecretName) }}
{{- fail "page.enabled with tls.clientAuthoritySecretName needs page.tls.certificateSecretName: what the page comes with" }}
{{- end }}
{{- if and .page.enrol (not .gallery.secretName) }}
{{- fail "page.enrol needs gallery.secretName: where people are enrolled" }}
{{- end }}
{{- if and .page.enrol (not .page.keys.secretName) }}
{{- fail "page.enrol needs page.keys.secretName: without keys whoever reaches the page could enrol and forget people" }}
{{- end }}
{{- end }}
{{- if gt (int .autoscaling.minReplicas) (int .autoscaling.maxReplicas) }}
{{- fail "autoscaling.minReplicas is above autoscaling.maxReplicas" }}
{{- end }}
{{- if and (eq (int .rollout.maxSurge) 0) (eq (int .rollout.maxUnavailable) 0) }}
{{- fail "rollout.maxSurge and rollout.maxUnavailable are both 0: nothing could ever be updated" }}
{{- end }}
{{- end }}
{{- end }}
