# A program of lineman.Main, here examples/push: docker build -f docs/deploy/app.Dockerfile -t push .
FROM golang:1 AS build
WORKDIR /src
COPY . .
RUN CGO_ENABLED=0 go build -o /push ./examples/push

FROM alpine:3
RUN adduser -D -h /srv/push push
COPY --from=build /push /usr/local/bin/push
USER push
# The program's files: push.pid, push.sock, push.log.
WORKDIR /srv/push
EXPOSE 1234 5678
# TERM stops the program, and HUP reopens its log: docker kill -s HUP. On a terminal, by docker run -t, HUP stops it too.
STOPSIGNAL SIGTERM
HEALTHCHECK CMD ["push", "status"]
ENTRYPOINT ["push", "-websocket", "0.0.0.0:1234", "-text", "0.0.0.0:5678"]
CMD ["start"]
