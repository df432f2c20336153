# The image of slashbatch: one static binary, run by nobody in particular.

FROM golang:1.26 AS build
WORKDIR /src
# Modules first: they are fetched again only when go.mod or go.sum change.
COPY go.mod go.sum ./
RUN go mod download
COPY . .
# timetzdata: time zones come along in the binary.
RUN CGO_ENABLED=0 go build -trimpath -buildvcs=false -tags timetzdata -ldflags '-s -w' -o /slashbatch .

# Alpine rather than an empty image: for a few megabytes there are certificate
# authorities, a shell to look around, and wget for health checks.
FROM alpine:3.22
RUN adduser -D -H -u 10001 slashbatch && install -d -o slashbatch /var/lib/slashbatch
COPY --from=build /slashbatch /usr/local/bin/slashbatch
# The defaults, to be overridden by SLASHBATCH_… variables or a mounted file.
COPY config.yaml /etc/slashbatch/config.yaml
USER 10001
# Where relative paths of the configuration start: the file store's ./data.
WORKDIR /var/lib/slashbatch
EXPOSE 8080
ENTRYPOINT ["slashbatch"]
CMD ["serve", "-c", "/etc/slashbatch/config.yaml"]
