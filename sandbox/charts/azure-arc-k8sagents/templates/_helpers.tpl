{{/* "true" or nothing: values arrive as booleans or, from the data plane, as text of any case. */}}
{{- define "arc.proxied" -}}{{ if eq (toString .Values.global.isProxyEnabled | lower) "true" }}true{{ end }}{{- end }}
{{- define "arc.gateway" -}}{{ if eq (toString .Values.global.gatewayEnabled | lower) "true" }}true{{ end }}{{- end }}

{{- define "arc.resourceId" -}}
{{- with .Values.global -}}
/subscriptions/{{ .subscriptionId }}/resourceGroups/{{ .resourceGroupName }}/providers/Microsoft.Kubernetes/connectedClusters/{{ .resourceName }}
{{- end -}}
{{- end }}

{{- define "arc.labels" -}}
app.kubernetes.io/name: {{ . }}
app.kubernetes.io/component: {{ . }}
app.kubernetes.io/part-of: azure-arc-k8sagents
{{- end }}

{{/* Pods take their proxies from the environment at start: a change of them, or of the cluster, starts new pods. */}}
{{- define "arc.checksum" -}}
{{ cat (include (print $.Template.BasePath "/proxy-config.yaml") .) (include (print $.Template.BasePath "/clusterconfig.yaml") .) | sha256sum }}
{{- end }}

{{/* A proxy's URL may hold a password, so a pod's description shows only where it comes from. */}}
{{- define "arc.proxyEnv" -}}
{{- range list "HTTP_PROXY" "HTTPS_PROXY" "NO_PROXY" }}
- name: {{ . }}
  valueFrom:
    secretKeyRef: {name: proxy-config, key: {{ . }}}
{{- end }}
{{- if .Values.global.proxyCert }}
- {name: PROXY_CERT_FILE, value: /etc/arc/proxy-cert/proxy-cert.crt}
{{- end }}
{{- end }}

{{- define "arc.certificateMount" -}}
{{- if .Values.global.proxyCert }}
volumeMounts:
  - {name: proxy-cert, mountPath: /etc/arc/proxy-cert, readOnly: true}
{{- end }}
{{- end }}

{{- define "arc.certificateVolume" -}}
{{- if .Values.global.proxyCert }}
volumes:
  - name: proxy-cert
    secret: {secretName: proxy-cert}
{{- end }}
{{- end }}
