<?php
// Probability and box of each face: php detect.php PHOTO [ADDRESS]
$address = $argv[2] ?? (getenv('FACES_URL') ?: 'http://127.0.0.1:8080');
$headers = ['Content-Type: application/octet-stream'];
if (getenv('FACES_KEY')) $headers[] = 'Authorization: Bearer ' . getenv('FACES_KEY');
$request = ['method' => 'POST', 'header' => $headers, 'content' => file_get_contents($argv[1]), 'timeout' => 30, 'ignore_errors' => true];
$text = file_get_contents(rtrim($address, '/') . '/v1/detect', false, stream_context_create(['http' => $request]));
$answer = json_decode($text, true);
if (isset($answer['detail'])) {
    fwrite(STDERR, $answer['detail'] . "\n");
    exit(1);
}
foreach ($answer['images'][0]['faces'] as $face) echo $face['probability'], ' ', implode(' ', $face['box']), "\n";
